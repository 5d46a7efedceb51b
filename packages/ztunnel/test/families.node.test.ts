/** Pods with one family of addresses: IPv6 alone, and IPv4 where the kernel has no IPv6. */
import { expect } from 'chai';
import { afterEach, describe, it } from 'mocha';
import { identity } from '@clearmesh/shared/testing/builders';
import { CapturedMesh, bracketed } from './captured-mesh.ts';
import type { CapturedMeshOptions } from './captured-mesh.ts';
import { untilEnd } from './path/applications.ts';

const kinds: readonly [pods: string, options: CapturedMeshOptions][] = [
  ['pods with IPv4 addresses', { version: 4 }],
  ['pods with IPv6 addresses only', { version: 6 }],
  ['pods whose namespaces have IPv6 switched off', { version: 4, ipv6: false }],
  ['pods of a proxy that has IPv6 switched off', { version: 4, env: { IPV6_ENABLED: 'false' } }],
];

for (const [pods, options] of kinds)
  describe(pods, () => {
    let mesh: CapturedMesh | undefined;
    afterEach(async () => {
      await mesh?.[Symbol.asyncDispose]();
      mesh = undefined;
    });

    it('are joined by a tunnel, which both count, and the application sees its client’s address', async () => {
      mesh = await CapturedMesh.start(options);
      const seen: (string | undefined)[] = [];
      const port = await mesh.pods.serve('server', (socket) => {
        seen.push(socket.remoteAddress);
        socket.pipe(socket);
      });
      const socket = await mesh.pods.connect('client', { ip: mesh.ips.server, port });
      socket.end('question');
      expect((await untilEnd(socket)).data.toString()).to.equal('question');
      expect(seen).to.deep.equal([mesh.ips.client]);
      const common = { 'src.identity': identity('bank', 'client-sa'), 'dst.identity': identity('bank', 'server-sa') };
      expect(await mesh.complete('outbound')).to.include({ ...common, 'dst.addr': `${bracketed(mesh.ips.server)}:15008` });
      expect(await mesh.complete('inbound')).to.include({ ...common, 'dst.hbone_addr': `${bracketed(mesh.ips.server)}:${port}` });
      expect(await mesh.opened()).to.deep.equal(['destination mutual_tls 1', 'source mutual_tls 1']);
    });

    it('call one that is not captured in plain text, and are called by it', async () => {
      mesh = await CapturedMesh.start(options);
      for (const [from, to] of [
        ['client', 'outside'],
        ['outside', 'server'],
      ] as const) {
        const port = await mesh.pods.serve(to, (socket) => socket.pipe(socket));
        const socket = await mesh.pods.connect(from, { ip: mesh.ips[to], port });
        socket.end('plain');
        expect((await untilEnd(socket)).data.toString()).to.equal('plain');
      }
      expect(await mesh.opened()).to.deep.equal(['destination unknown 1', 'source unknown 1']);
    });
  });
