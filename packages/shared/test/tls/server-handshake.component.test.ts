import { connect as connectTcp } from 'node:net';
import { connect, createSecureContext } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import type { LeafSpec } from '../../src/testing/test-authority.ts';
import type { HandshakeFailureReason } from '../../src/tls/handshake-failure.ts';
import { clientUri, startServer } from './loopback.ts';

/** How a foreign client fared. */
type Seen = { readonly greeted: boolean; readonly alert?: string };

const hourMs = 3_600_000;
const good: LeafSpec = { uris: [clientUri] };

describe('acceptHandshake', () => {
  let authority: TestAuthority;
  let stranger: TestAuthority;
  before(async () => {
    authority = await TestAuthority.create();
    stranger = await TestAuthority.create({ name: 'another root' });
  });

  /** Connects as a client that accepts any server; resolves when it was greeted or the connection ended. */
  function visit(port: number, options: ConnectionOptions): Promise<Seen> {
    return new Promise((resolve) => {
      const socket: TLSSocket = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
        ...options,
      });
      const seen = { greeted: false };
      socket.on('data', () => {
        seen.greeted = true;
        socket.destroy();
      });
      let alert: string | undefined;
      socket.on('error', (error) => (alert = /alert number (\d+)/.exec(error.message)?.[1]));
      socket.on('close', () => resolve({ ...seen, ...(alert === undefined ? {} : { alert }) }));
    });
  }

  const accepted: readonly (readonly [string, LeafSpec, ConnectionOptions])[] = [
    ['a good certificate', good, {}],
    ['clientAuth only', { ...good, usages: ['clientAuth'] }, {}],
    ['no extended key usage', { ...good, usages: [] }, {}],
    ['a SAN that is not critical', { ...good, criticalSan: false }, {}],
    ['two URIs, the second in the trust domain', { uris: ['spiffe://other.domain/ns/bank/sa/client', clientUri] }, {}],
    ['an https URI before the SPIFFE id', { uris: ['https://example.com/x', clientUri] }, {}],
    ['no ALPN', good, { ALPNProtocols: [] }],
    ['AES-128 only', good, { ciphers: 'TLS_AES_128_GCM_SHA256' }],
    ['group X25519MLKEM768 only', good, { ecdhCurve: 'X25519MLKEM768' }],
    ['group X25519 only', good, { ecdhCurve: 'X25519' }],
    ['group P-256 only', good, { ecdhCurve: 'P-256' }],
    ['group P-384 only', good, { ecdhCurve: 'P-384' }],
  ];
  for (const [what, spec, options] of accepted) {
    it(`accepts ${what}`, async () => {
      await using server = await startServer(authority, { greet: 'hello' });
      const { certPem: cert, keyPem: key } = await authority.issue(spec);
      const [outcome, seen] = await Promise.all([server.outcome(), visit(server.port, { cert, key, ...options })]);
      expect(outcome).to.include({ kind: 'verified', peer: clientUri });
      expect(seen).to.deep.equal({ greeted: true });
    });
  }

  /** The alert is what OpenSSL sends by itself; without one the connection just closes. */
  const rejected: readonly (readonly [string, HandshakeFailureReason, string | undefined, LeafSpec, ConnectionOptions])[] = [
    ['an expired certificate', 'expired', undefined, { ...good, notBefore: Date.now() - 2 * hourMs }, {}],
    ['one not yet valid', 'not-yet-valid', undefined, { ...good, notBefore: Date.now() + hourMs }, {}],
    ['one for serverAuth only', 'wrong-usage', undefined, { ...good, usages: ['serverAuth'] }, {}],
    ['another trust domain', 'other-trust-domain', undefined, { uris: ['spiffe://other.domain/ns/bank/sa/client'] }, {}],
    ['DNS names only', 'no-identity', undefined, { dnsNames: ['client.bank'] }, {}],
    ['no name at all', 'no-identity', undefined, {}, {}],
    ['a SPIFFE path that is no service account', 'no-identity', undefined, { uris: ['spiffe://cluster.local/workload/7'] }, {}],
    ['TLS 1.2', 'protocol-version', '70', good, { maxVersion: 'TLSv1.2' }],
    ['ALPN http/1.1', 'application-protocol', '120', good, { ALPNProtocols: ['http/1.1'] }],
    ['ChaCha20 only', 'no-shared-parameters', '40', good, { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }],
    ['group P-521 only', 'no-shared-parameters', '40', good, { ecdhCurve: 'P-521' }],
  ];
  for (const [what, reason, alert, spec, options] of rejected) {
    it(`rejects ${what} as ${reason}`, async () => {
      await using server = await startServer(authority, { greet: 'hello' });
      const { certPem: cert, keyPem: key } = await authority.issue(spec);
      const [outcome, seen] = await Promise.all([server.outcome(), visit(server.port, { cert, key, ...options })]);
      expect(outcome).to.have.nested.property('failure.reason', reason);
      expect(seen.greeted).to.equal(false);
      expect(seen.alert).to.equal(alert);
    });
  }

  it('rejects a client without a certificate with alert 116', async () => {
    await using server = await startServer(authority, { greet: 'hello' });
    const [outcome, seen] = await Promise.all([server.outcome(), visit(server.port, {})]);
    expect(outcome).to.have.nested.property('failure.reason', 'no-certificate');
    expect(seen).to.deep.equal({ greeted: false, alert: '116' });
  });

  it('rejects a certificate of an unknown authority, same name or not', async () => {
    await using server = await startServer(authority, { greet: 'hello' });
    const namesake = await TestAuthority.create();
    for (const other of [stranger, namesake]) {
      const { certPem: cert, keyPem: key } = await other.issue(good);
      const [outcome, seen] = await Promise.all([server.outcome(), visit(server.port, { cert, key })]);
      expect(outcome).to.have.nested.property('failure.reason', 'unknown-authority');
      expect(seen.greeted).to.equal(false);
    }
  });

  it('accepts a chain with an intermediate, and rejects it when the intermediate is missing', async () => {
    await using server = await startServer(authority, { greet: 'hello' });
    const { certPem: cert, keyPem: key } = await (await authority.intermediate()).issue(good);
    const [whole] = await Promise.all([server.outcome(), visit(server.port, { cert, key })]);
    expect(whole.kind).to.equal('verified');
    const leafOnly = `${cert.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----`;
    const [partial] = await Promise.all([server.outcome(), visit(server.port, { cert: leafOnly, key })]);
    expect(partial).to.have.nested.property('failure.reason', 'unknown-authority');
  });

  it('never resumes a session, so that no connection escapes verification', async () => {
    await using server = await startServer(authority, { greet: 'hello' });
    const { certPem: cert, keyPem: key } = await authority.issue(good);
    const secureContext = createSecureContext({ cert, key });
    const sessions: Buffer[] = [];
    const first = connect({
      port: server.port,
      host: '127.0.0.1',
      secureContext,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    first.on('session', (session: Buffer) => sessions.push(session));
    await new Promise((resolve) => first.once('data', resolve));
    first.destroy();
    expect(sessions).to.not.deep.equal([]);
    for (const session of sessions) {
      const again = connect({ port: server.port, host: '127.0.0.1', session, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      again.on('error', () => {});
      await new Promise((resolve) => again.once('close', resolve));
    }
    // They offer the session and no certificate: resumed, they would be let in.
    await server.outcome();
    for (const _ of sessions) expect(await server.outcome()).to.have.nested.property('failure.reason', 'no-certificate');
  });

  for (const [what, bytes] of [
    ['HTTP', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['zeros', Buffer.alloc(64)],
    ['the HTTP/2 preface in the clear', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS record that is too long', Buffer.from([22, 3, 1, 0xff, 0xff, 1, 2, 3])],
  ] as const) {
    it(`rejects ${what} as malformed`, async () => {
      await using server = await startServer(authority);
      const socket = connectTcp({ port: server.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.write(bytes);
      const outcome = await server.outcome();
      expect(outcome.kind).to.equal('failed');
      expect(outcome).to.have.nested.property('failure.reason').that.is.oneOf(['malformed', 'protocol-version']);
      socket.destroy();
    });
  }

  it('gives up on a client that trickles its handshake', async () => {
    const clock = new FakeClock();
    await using server = await startServer(authority, { clock });
    const socket = connectTcp({ port: server.port, host: '127.0.0.1' });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(Buffer.from([22, 3, 1, 0]));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(9_999);
    socket.write(Buffer.from([200]));
    clock.advance(1);
    expect(await server.outcome()).to.have.nested.property('failure.reason', 'timeout');
    socket.resume();
    await closed;
    expect(clock.pendingTimers).to.equal(0);
  });

  it('tells a client that leaves in the middle', async () => {
    await using server = await startServer(authority);
    const socket = connectTcp({ port: server.port, host: '127.0.0.1' });
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    expect(await server.outcome()).to.have.nested.property('failure.reason', 'connection-lost');
  });
});
