/** Two ends of one authenticated TLS connection over loopback, made by the mesh's own handshakes. */
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { SpiffeId } from '../../src/identity/spiffe.ts';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import type { LeafSpec } from '../../src/testing/test-authority.ts';
import { identity } from '../../src/testing/builders.ts';
import { acceptHandshake } from '../../src/tls/server-handshake.ts';
import { connectHandshake } from '../../src/tls/client-handshake.ts';
import { createMeshContext } from '../../src/tls/mesh-context.ts';
import { clientOf, serverAmong } from '../../src/tls/peer-identity.ts';
import { bounded } from './bounded.ts';

const clientId: SpiffeId = identity('bank', 'client');
const serverId: SpiffeId = identity('bank', 'server');

/** Key generation is slow: one authority and one context a role for all tests of a process. */
let shared: Promise<{ authority: TestAuthority; client: SecureContext; server: SecureContext }> | undefined;

function meshContexts(): Promise<{ authority: TestAuthority; client: SecureContext; server: SecureContext }> {
  shared ??= TestAuthority.create().then(async (authority) => ({
    authority,
    client: await contextOf(authority, { uris: [clientId] }),
    server: await contextOf(authority, { uris: [serverId] }),
  }));
  return shared;
}

async function contextOf(authority: TestAuthority, spec: LeafSpec): Promise<SecureContext> {
  const { certPem, keyPem } = await authority.issue(spec);
  return createMeshContext({ chain: [certPem], keyPem, roots: [authority.rootPem] });
}

/** A connected pair of plain sockets. */
async function tcpPair(): Promise<{ near: Socket; far: Socket }> {
  const listener = createServer();
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const near = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const far = await bounded(accepted, 'accept');
  listener.close();
  far.setNoDelay();
  return { near, far };
}

export async function tlsPair(): Promise<{ client: TLSSocket; server: TLSSocket }> {
  const contexts = await meshContexts();
  const { near, far } = await tcpPair();
  const { signal } = new AbortController();
  const deps = { clock: systemClock };
  const [client, server] = await bounded(
    Promise.all([
      connectHandshake(near, { context: contexts.client, rule: serverAmong([serverId]), signal }, deps),
      acceptHandshake(far, { context: contexts.server, rule: clientOf('cluster.local'), signal }, deps),
    ]),
    'handshake',
  );
  if (client.kind === 'failed') throw new Error(`client: ${client.failure.detail}`);
  if (server.kind === 'failed') throw new Error(`server: ${server.failure.detail}`);
  return { client: client.socket, server: server.socket };
}
