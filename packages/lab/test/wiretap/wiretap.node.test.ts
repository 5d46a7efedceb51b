import { once } from 'node:events';
import { basename, join } from 'node:path';
import tls from 'node:tls';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { processesIn } from '../../src/cleanup/namespace-processes.ts';
import { createRunTool } from '../../src/host/run-tool.ts';
import type { Lab, LabPod } from '../../src/lab.ts';
import type { SpawnOptions } from '../../src/process/supervised-process.ts';
import { Wiretap } from '../../src/wiretap/wiretap.ts';
import { get, labDeps, serve, twoNodes } from '../lab-bed.ts';
import { ended } from '../process/ended.ts';

const secret = Buffer.from('server saw');

describe('a wiretap', function () {
  this.timeout(20_000);
  let lab: Lab;
  let client: LabPod;
  let server: LabPod;
  let pods: ReadonlySet<string>;
  before(async () => {
    ({ lab, client, server } = await twoNodes());
    pods = new Set([client.ip, server.ip]);
    await serve(lab, server, 'server');
  });
  after(() => lab[Symbol.asyncDispose]());

  /** A TLS server in the server's namespace and one call of it from the client's, which says the secret. */
  async function callOverTls(): Promise<void> {
    const authority = await TestAuthority.create();
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['ledger'] });
    using there = NetworkNamespace.open(server.namespacePath);
    using here = NetworkNamespace.open(client.namespacePath);
    const options = { minVersion: 'TLSv1.3', ecdhCurve: 'X25519MLKEM768' } as const;
    const listener = tls.createServer({ cert: certPem, key: keyPem, ...options }, (socket) => void socket.end(secret));
    listener.listen({ fd: listenSocket({ namespace: there, ip: server.ip, port: 8443 }).fd });
    await once(listener, 'listening');
    const socket = await connectTcp({ namespace: here, target: { ip: server.ip, port: 8443 } }, AbortSignal.timeout(5000));
    const secured = tls.connect({ socket, ca: authority.rootPem, servername: 'ledger', ALPNProtocols: ['h2'], ...options });
    const [answer] = (await once(secured, 'data')) as [Buffer];
    expect(answer).to.deep.equal(secret);
    secured.destroy();
    await new Promise((resolve) => void listener.close(resolve));
  }

  it('reads a plain call', async () => {
    await using tap = await lab.wiretap('node-a', 'node-b');
    await get(lab, client.namespacePath, server.ip, 8080);
    const { plaintextBytes, plaintextSamples, secretsSeen, tlsStreams } = await tap.report({ pods, secrets: [secret] });
    expect(plaintextBytes).to.be.greaterThan(50);
    expect(plaintextSamples[0]!.text).to.include('GET / HTTP/1.1');
    expect(secretsSeen).to.have.length(1);
    expect(tlsStreams).to.deep.equal([]);
  });

  it('reads nothing of a TLS call but its hellos: X25519MLKEM768', async () => {
    await using tap = await lab.wiretap('node-a', 'node-b');
    await callOverTls();
    const { plaintextBytes, plaintextSamples, secretsSeen, tlsStreams, incomplete } = await tap.report({
      pods,
      secrets: [secret],
    });
    expect({ plaintextBytes, plaintextSamples, secretsSeen, incomplete }).to.deep.equal({
      plaintextBytes: 0,
      plaintextSamples: [],
      secretsSeen: [],
      incomplete: 0,
    });
    const [stream, ...others] = tlsStreams;
    expect(others).to.deep.equal([]);
    expect(stream).to.deep.include({
      to: `${server.ip}:8443`,
      version: 'TLSv1.3',
      groupsOffered: ['X25519MLKEM768'],
      groupChosen: 'X25519MLKEM768',
      alpn: ['h2'],
    });
  });

  it('misses no packet sent before it is asked, and shows none of its own', async () => {
    await using tap = await lab.wiretap('node-b', 'node-a');
    for (let round = 1; round <= 10; round++) {
      await get(lab, client.namespacePath, server.ip, 8080);
      const packets = await tap.packets();
      const requests = packets.filter(({ content }) => content.kind === 'tcp' && Buffer.from(content.payload).includes('GET /'));
      expect(requests).to.have.length(round);
      const hosts = packets.flatMap(({ content }) => (content.kind === 'tcp' ? [content.source.ip, content.destination.ip] : []));
      expect(new Set(hosts)).to.deep.equal(pods);
    }
  });

  it('sees nothing that stays within a node', async () => {
    const neighbour = await lab.addPod({ node: 'node-b', namespace: 'bank', name: 'neighbour' });
    await using tap = await lab.wiretap('node-a', 'node-b');
    expect(await get(lab, neighbour.namespacePath, server.ip, 8080)).to.equal(`server saw ${neighbour.ip}`);
    expect((await tap.packets()).filter(({ content }) => content.kind === 'tcp')).to.deep.equal([]);
    await lab.removePod(neighbour);
  });

  it('fails at once when its recorder dies, instead of showing less', async () => {
    await using tap = await lab.wiretap('node-a', 'node-b');
    await tap.packets();
    const { namespacePath } = lab.node('node-a');
    const [recorder] = processesIn([basename(namespacePath)]);
    process.kill(recorder!.pid, 'SIGKILL');
    await ended(recorder!);
    expect((await tap.packets().catch((error: unknown) => error)) as object).to.have.property('code', 'MESH-LAB-001');
  });

  it('fails when the capture outgrows its bound, or the device does not exist', async () => {
    const run = createRunTool(process.env);
    const deps = { ...labDeps, run, spawn: (options: SpawnOptions) => lab.spawn(options) };
    const peerIp = lab.node('node-b').ip;
    const namespace = basename(lab.node('node-a').namespacePath);
    const file = join(lab.workDir, 'bounded.pcap');
    await using tap = await Wiretap.start({ end: { namespace, device: 'link-2' }, peerIp, file, maxBytes: 100 }, deps);
    const outgrown = await tap.packets().catch((error: Error) => error.message);
    expect(outgrown).to.include('captured more than 100 bytes');
    const absent = { end: { namespace, device: 'absent' }, peerIp, file: join(lab.workDir, 'absent.pcap') };
    const refused = await Wiretap.start(absent, deps).catch((error: Error) => error.message);
    expect(refused).to.include('No such device');
  });
});
