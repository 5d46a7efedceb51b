import { connect as connectTcp } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TlsOptions } from 'node:tls';
import { createServer as createTcpServer } from 'node:net';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { systemClock } from '../../src/lifecycle/clock.ts';
import type { Clock } from '../../src/lifecycle/clock.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import type { LeafSpec } from '../../src/testing/test-authority.ts';
import { connectHandshake } from '../../src/tls/client-handshake.ts';
import type { HandshakeFailureReason } from '../../src/tls/handshake-failure.ts';
import type { HandshakeOutcome } from '../../src/tls/handshake.ts';
import { serverAmong } from '../../src/tls/peer-identity.ts';
import type { SpiffeId } from '../../src/identity/spiffe.ts';
import { clientUri, contextOf, serverUri } from './loopback.ts';

const hourMs = 3_600_000;
const otherUri = 'spiffe://cluster.local/ns/bank/sa/other';

describe('connectHandshake', () => {
  let authority: TestAuthority;
  before(async () => {
    authority = await TestAuthority.create();
  });

  async function shake(
    port: number,
    expected: readonly string[],
    deps: { clock: Clock } = { clock: systemClock },
  ): Promise<HandshakeOutcome> {
    const context = await contextOf(authority, { uris: [clientUri] });
    const raw = connectTcp({ port, host: '127.0.0.1' });
    await new Promise((resolve) => raw.once('connect', resolve));
    const { signal } = new AbortController();
    const outcome = await connectHandshake(raw, { context, rule: serverAmong(expected as readonly SpiffeId[]), signal }, deps);
    if (outcome.kind === 'verified') outcome.socket.destroy();
    else expect(raw.destroyed).to.equal(true);
    return outcome;
  }

  /** One visit to an ordinary Node TLS server with the given certificate. */
  async function visit(
    spec: LeafSpec,
    expected: readonly string[],
    options: TlsOptions = {},
  ): Promise<HandshakeOutcome & { sni?: string }> {
    const { certPem: cert, keyPem: key } = await authority.issue(spec);
    let sni: string | false | null | undefined;
    const server = createServer(
      { cert, key, ca: authority.rootPem, requestCert: true, ALPNProtocols: ['h2'], ...options },
      (socket) => {
        sni = socket.servername;
        socket.on('error', () => {});
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const outcome = await shake((server.address() as AddressInfo).port, expected);
      return typeof sni === 'string' ? { ...outcome, sni } : outcome;
    } finally {
      server.close();
    }
  }

  it('proves the peer, with TLS 1.3, AES-256 and the post-quantum group, and sends no server name', async () => {
    const outcome = await visit({ uris: [serverUri] }, [serverUri]);
    expect(outcome).to.deep.include({
      kind: 'verified',
      peer: serverUri,
      tls: { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', group: 'X25519MLKEM768' },
    });
    expect(outcome).to.not.have.property('sni');
  });

  it('falls back to X25519 with a server that has nothing newer', async () => {
    expect(await visit({ uris: [serverUri] }, [serverUri], { ecdhCurve: 'X25519' })).to.have.nested.property(
      'tls.group',
      'X25519',
    );
  });

  const accepted: readonly (readonly [string, LeafSpec, readonly string[], string])[] = [
    ['any of the accepted peers', { uris: [serverUri] }, [otherUri, serverUri], serverUri],
    ['the id that fits among several', { uris: [otherUri, serverUri] }, [serverUri], serverUri],
    ['a peer without extended key usage', { uris: [serverUri], usages: [] }, [serverUri], serverUri],
  ];
  for (const [what, spec, expected, peer] of accepted) {
    it(`accepts ${what}`, async () => expect(await visit(spec, expected)).to.include({ kind: 'verified', peer }));
  }

  const rejected: readonly (readonly [string, HandshakeFailureReason, LeafSpec, readonly string[], TlsOptions])[] = [
    ['another identity', 'unexpected-identity', { uris: [otherUri] }, [serverUri], {}],
    ['any identity when none is accepted', 'unexpected-identity', { uris: [serverUri] }, [], {}],
    ['a DNS name', 'no-identity', { dnsNames: ['localhost'] }, [serverUri], {}],
    ['an expired certificate', 'expired', { uris: [serverUri], notBefore: Date.now() - 2 * hourMs }, [serverUri], {}],
    ['one not yet valid', 'not-yet-valid', { uris: [serverUri], notBefore: Date.now() + hourMs }, [serverUri], {}],
    ['one for clientAuth only', 'wrong-usage', { uris: [serverUri], usages: ['clientAuth'] }, [serverUri], {}],
    ['TLS 1.2', 'refused-by-peer', { uris: [serverUri] }, [serverUri], { maxVersion: 'TLSv1.2' }],
    ['ChaCha20 only', 'refused-by-peer', { uris: [serverUri] }, [serverUri], { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }],
    ['a server without h2', 'refused-by-peer', { uris: [serverUri] }, [serverUri], { ALPNProtocols: ['http/1.1'] }],
  ];
  for (const [what, reason, spec, expected, options] of rejected) {
    it(`rejects ${what} as ${reason}`, async () => {
      expect(await visit(spec, expected, options)).to.have.nested.property('failure.reason', reason);
    });
  }

  it('rejects a server of an unknown authority', async () => {
    const stranger = await TestAuthority.create({ name: 'another root' });
    const { certPem: cert, keyPem: key } = await stranger.issue({ uris: [serverUri] });
    expect(await visit({}, [serverUri], { cert, key })).to.have.nested.property('failure.reason', 'unknown-authority');
  });

  for (const [what, reason, answer] of [
    ['garbage', 'malformed', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an immediate end', 'connection-lost', ''],
  ] as const) {
    it(`rejects ${what} as ${reason}`, async () => {
      const server = createTcpServer((socket) => void socket.on('error', () => {}).end(answer));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      expect(await shake((server.address() as AddressInfo).port, [serverUri])).to.have.nested.property('failure.reason', reason);
      server.close();
    });
  }

  it('gives up on a server that never answers', async () => {
    const clock = new FakeClock();
    const server = createTcpServer((socket) => void socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const shaking = shake((server.address() as AddressInfo).port, [serverUri], { clock });
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    expect(await shaking).to.have.nested.property('failure.reason', 'timeout');
    server.close();
  });
});
