/** Applications of a pod that ask for their connections by SOCKS5, with curl as the client. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { service, workload } from '@clearmesh/shared/testing/builders';
import { CapturedMesh, bracketed } from './captured-mesh.ts';
import { untilEnd } from './path/applications.ts';

const enabled = { UNSTABLE_ENABLE_SOCKS5: 'true' };
const proxy = '127.0.0.1:15080';

for (const version of [4, 6] as const)
  describe(`the SOCKS listener of a pod with IPv${version}`, () => {
    let mesh: CapturedMesh;
    let port: number;
    beforeEach(async () => {
      mesh = await CapturedMesh.start({ version, env: enabled });
      port = await mesh.pods.serve('server', (socket) => {
        socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nledger'));
      });
    });
    afterEach(() => mesh[Symbol.asyncDispose]());

    const get = (how: '--socks5' | '--socks5-hostname', host: string, at: number): Promise<string> =>
      mesh.pods.run('client', 'curl', '-s', '--max-time', '8', how, proxy, `http://${host}:${at}/`);

    it('takes curl to an address through the tunnel', async () => {
      expect(await get('--socks5', bracketed(mesh.ips.server), port)).to.equal('ledger');
      expect(await mesh.opened()).to.deep.equal(['destination mutual_tls 1', 'source mutual_tls 1']);
      expect(await mesh.complete('outbound')).to.include({ 'dst.addr': `${bracketed(mesh.ips.server)}:15008` });
    });

    it('takes curl to a service by its name', async () => {
      const ledger = service({ name: 'ledger', addresses: [version === 4 ? '10.96.7.7' : 'fd96::77'], ports: { 80: 0 } });
      const { name, serviceAccount, addresses } = mesh.server;
      mesh.push([workload({ name, serviceAccount, addresses, services: { [ledger.key]: { 80: port } } })], [ledger]);
      expect(await get('--socks5-hostname', 'ledger.bank', 80)).to.equal('ledger');
      expect(await mesh.complete('outbound')).to.include({ 'dst.service': ledger.hostname });
    });

    it('tells curl why there is no connection', async () => {
      const failed = await get('--socks5', bracketed(mesh.ips.outside), 1).then(
        () => undefined,
        (error: Error & { readonly code?: number }) => error.code,
      );
      // CURLE_PROXY: the answer was read and understood.
      expect(failed).to.equal(97);
    });

    it('is open to the pod itself only', async () => {
      for (const from of ['client', 'outside'] as const) {
        const socket = await mesh.pods.connect(from, { ip: mesh.ips.server, port: 15_080 });
        socket.write(Buffer.from([5, 1, 0]));
        expect((await untilEnd(socket)).data.length, from).to.equal(0);
      }
    });
  });

describe('a pod whose proxy is not told to speak SOCKS5', () => {
  it('has no such listener', async () => {
    await using mesh = await CapturedMesh.start();
    const outcome = await mesh.pods
      .connect('client', { ip: '127.0.0.1', port: 15_080 })
      .catch((error: Error & { code?: string }) => error.code);
    expect(outcome).to.equal('ECONNREFUSED');
  });
});
