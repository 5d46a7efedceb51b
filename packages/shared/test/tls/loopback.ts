/** A TLS server of the mesh on loopback, and whatever client a test brings. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { systemClock } from '../../src/lifecycle/clock.ts';
import type { Clock } from '../../src/lifecycle/clock.ts';
import type { LeafSpec, TestAuthority } from '../../src/testing/test-authority.ts';
import type { HandshakeOutcome } from '../../src/tls/handshake.ts';
import { createMeshContext } from '../../src/tls/mesh-context.ts';
import { clientOf } from '../../src/tls/peer-identity.ts';
import type { TlsPolicy } from '../../src/tls/tls-policy.ts';
import { acceptHandshake } from '../../src/tls/server-handshake.ts';

export const serverUri = 'spiffe://cluster.local/ns/bank/sa/server';
export const clientUri = 'spiffe://cluster.local/ns/bank/sa/client';

export type MeshServer = AsyncDisposable & {
  readonly port: number;
  /** How the next connection's handshake ends, in the order of connections. */
  outcome(): Promise<HandshakeOutcome>;
};

export async function contextOf(authority: TestAuthority, spec: LeafSpec, policy?: TlsPolicy): Promise<SecureContext> {
  const { certPem, keyPem } = await authority.issue(spec);
  return createMeshContext({ chain: [certPem], keyPem, roots: [authority.rootPem] }, policy);
}

export async function startServer(
  authority: TestAuthority,
  options: { readonly clock?: Clock; readonly greet?: string; readonly spec?: LeafSpec; readonly policy?: TlsPolicy } = {},
): Promise<MeshServer> {
  const context = await contextOf(authority, options.spec ?? { uris: [serverUri] }, options.policy);
  const sockets = new Set<Socket>();
  const settled: HandshakeOutcome[] = [];
  const takers: ((outcome: HandshakeOutcome) => void)[] = [];
  const stop = new AbortController();
  const listener = createServer((socket) => {
    sockets.add(socket);
    const limits = { context, rule: clientOf('cluster.local'), signal: stop.signal };
    void acceptHandshake(socket, limits, { clock: options.clock ?? systemClock }).then((outcome) => {
      if (outcome.kind === 'verified' && options.greet !== undefined) outcome.socket.write(options.greet);
      const taker = takers.shift();
      if (taker === undefined) settled.push(outcome);
      else taker(outcome);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    outcome: () => {
      const outcome = settled.shift();
      return outcome === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(outcome);
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
