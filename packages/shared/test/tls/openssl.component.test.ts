import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { startServer } from './loopback.ts';
import type { MeshServer } from './loopback.ts';
import { OpenSslClient, greeting } from './openssl-client.ts';

describe('the mesh server as openssl s_client sees it', () => {
  let server: MeshServer;
  let client: OpenSslClient;
  before(async () => {
    const authority = await TestAuthority.create();
    client = await OpenSslClient.create(authority);
    server = await startServer(authority, { greet: greeting });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
  });

  const visit = (...args: readonly string[]): Promise<string> => client.visit(server.port, ...args);

  it('speaks TLS 1.3 with AES-256 and h2, and verifies', async () => {
    const output = await visit('-alpn', 'h2');
    expect(output).to.include('New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384');
    expect(output).to.include('ALPN protocol: h2');
    expect(output).to.include('Verify return code: 0 (ok)');
    expect(output).to.include(greeting);
  });

  it('asks for a client certificate of its own authorities', async () => {
    expect(await visit('-alpn', 'h2')).to.match(/Acceptable client certificate CA names\s+CN = test root/);
  });

  for (const [what, args, expected] of [
    ['takes AES-128 when that is all there is', ['-ciphersuites', 'TLS_AES_128_GCM_SHA256'], 'Cipher is TLS_AES_128_GCM_SHA256'],
    ['takes X25519 from a client without the post-quantum group', ['-groups', 'X25519'], 'Server Temp Key: X25519'],
    [
      'answers a key share it does not take with a HelloRetryRequest',
      ['-groups', 'P-521:P-384'],
      'Server Temp Key: ECDH, secp384r1',
    ],
    ['refuses TLS 1.2 with alert 70', ['-tls1_2'], 'SSL alert number 70'],
    ['refuses ChaCha20 with alert 40', ['-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256'], 'SSL alert number 40'],
    ['refuses another protocol with alert 120', ['-alpn', 'http/1.1'], 'SSL alert number 120'],
  ] as const) {
    it(what, async () => {
      const output = await visit(...(args.includes('-alpn' as never) ? [] : ['-alpn', 'h2']), ...args);
      expect(output).to.include(expected);
    });
  }
});
