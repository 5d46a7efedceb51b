import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { connectHandshake } from '../../src/tls/client-handshake.ts';
import { connectControlPlane } from '../../src/tls/control-plane-socket.ts';
import { serverAmong } from '../../src/tls/peer-identity.ts';
import { defaultTlsPolicy } from '../../src/tls/tls-policy.ts';
import type { TlsPolicy } from '../../src/tls/tls-policy.ts';
import { clientUri, contextOf, serverUri, startServer } from './loopback.ts';
import { OpenSslClient, greeting } from './openssl-client.ts';
import type { SpiffeId } from '../../src/identity/spiffe.ts';

const both: TlsPolicy = { tls12: true, keyExchange: 'any' };
const postQuantum: TlsPolicy = { tls12: false, keyExchange: 'post-quantum' };
const nistCurves: TlsPolicy = { tls12: true, keyExchange: 'nist-curves' };

describe('a TLS policy', () => {
  let authority: TestAuthority;
  let openssl: OpenSslClient;
  before(async () => {
    authority = await TestAuthority.create();
    openssl = await OpenSslClient.create(authority);
  });
  after(() => openssl[Symbol.asyncDispose]());

  const visits: readonly [string, TlsPolicy, readonly string[], string][] = [
    ['with TLS 1.2 still prefers 1.3', both, [], 'New, TLSv1.3'],
    ['with TLS 1.2 takes its AES-GCM suites', both, ['-tls1_2'], 'Cipher is ECDHE-ECDSA-AES256-GCM-SHA384'],
    ['with TLS 1.2 refuses ChaCha20', both, ['-tls1_2', '-cipher', 'ECDHE-ECDSA-CHACHA20-POLY1305'], 'SSL alert number 40'],
    ['with TLS 1.2 refuses CBC', both, ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256'], 'SSL alert number 40'],
    ['with TLS 1.2 refuses a static key', both, ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'], 'SSL alert number 40'],
    ['with TLS 1.2 refuses TLS 1.1', both, ['-tls1_1', '-cipher', 'DEFAULT:@SECLEVEL=0'], 'SSL alert number 70'],
    ['of post-quantum keys alone refuses X25519', postQuantum, ['-groups', 'X25519'], 'SSL alert number 40'],
    ['of post-quantum keys alone refuses P-256', postQuantum, ['-groups', 'P-256'], 'SSL alert number 40'],
    ['of NIST curves takes P-256', nistCurves, ['-groups', 'P-256'], 'ECDH, prime256v1'],
    ['of NIST curves refuses X25519', nistCurves, ['-groups', 'X25519'], 'SSL alert number 40'],
  ];
  for (const [title, policy, args, expected] of visits) {
    it(title, async () => {
      await using server = await startServer(authority, { greet: greeting, policy });
      expect(await openssl.visit(server.port, '-alpn', 'h2', ...args)).to.include(expected);
    });
  }

  it('with TLS 1.2 does not let a peer renegotiate', async () => {
    await using server = await startServer(authority, { greet: greeting, policy: both });
    const output = await openssl.renegotiate(server.port, '-alpn', 'h2', '-tls1_2');
    expect(output).to.match(/RENEGOTIATING.*no renegotiation/s);
  });

  const pairs: readonly [string, TlsPolicy, TlsPolicy, string][] = [
    ['that is the default gives X25519MLKEM768', defaultTlsPolicy, defaultTlsPolicy, 'TLSv1.3 X25519MLKEM768'],
    ['of post-quantum keys alone takes the default as server', postQuantum, defaultTlsPolicy, 'TLSv1.3 X25519MLKEM768'],
    ['of post-quantum keys alone takes the default as client', defaultTlsPolicy, postQuantum, 'TLSv1.3 X25519MLKEM768'],
    ['of NIST curves meets the default at P-256', nistCurves, defaultTlsPolicy, 'TLSv1.3 P-256'],
    ['of NIST curves and one of post-quantum keys refuse each other', nistCurves, postQuantum, 'failed'],
  ];
  for (const [title, client, policy, expected] of pairs) {
    it(title, async () => {
      await using server = await startServer(authority, { policy });
      const context = await contextOf(authority, { uris: [clientUri] }, client);
      const socket: Socket = connect(server.port, '127.0.0.1');
      await once(socket, 'connect');
      const rule = serverAmong([serverUri as SpiffeId]);
      const options = { context, rule, signal: new AbortController().signal };
      const outcome = await connectHandshake(socket, options, { clock: systemClock });
      if (outcome.kind === 'verified') outcome.socket.destroy();
      const seen = outcome.kind === 'failed' ? 'failed' : `${outcome.tls.protocol} ${outcome.tls.group}`;
      expect(seen.replace('prime256v1', 'P-256')).to.equal(expected);
    });
  }

  const remotes: readonly [string, TlsPolicy | undefined, boolean][] = [
    ['of post-quantum keys alone refuses a control plane without them', postQuantum, false],
    ['that is the default takes a control plane without post-quantum keys', undefined, true],
  ];
  for (const [title, tls, taken] of remotes) {
    it(title, async () => {
      const { certPem, keyPem } = await authority.issue({ ips: ['127.0.0.1'] });
      const server = createServer({ cert: certPem, key: keyPem, ecdhCurve: 'X25519', ALPNProtocols: ['h2'] });
      server.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const socket = connectControlPlane({ url: `https://127.0.0.1:${port}`, tls }, authority.rootPem);
      const connected = once(socket, 'secureConnect').then(() => true);
      const failed = new Promise<boolean>((resolve) => socket.once('error', () => resolve(false)));
      expect(await Promise.race([connected.catch(() => false), failed])).to.equal(taken);
      socket.destroy();
      server.close();
    });
  }
});
