import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { clientUri, startServer } from './loopback.ts';
import type { MeshServer } from './loopback.ts';

/** `openssl s_client` knows nothing of us: what it reports was really on the wire. */
describe('the mesh server as openssl s_client sees it', () => {
  let directory: string;
  let server: MeshServer;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-tls-'));
    const authority = await TestAuthority.create();
    const { certPem, keyPem } = await authority.issue({ uris: [clientUri] });
    await writeFile(join(directory, 'cert.pem'), certPem);
    await writeFile(join(directory, 'key.pem'), keyPem, { mode: 0o600 });
    await writeFile(join(directory, 'root.pem'), authority.rootPem);
    server = await startServer(authority, { greet: 'hello from the mesh' });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  /** The whole output of one connection; stdin is closed once the greeting, or the end, is there. */
  function visit(...args: readonly string[]): Promise<string> {
    const files = ['-CAfile', 'root.pem', '-cert', 'cert.pem', '-key', 'key.pem'];
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`, '-noservername', ...files, ...args], {
      cwd: directory,
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += String(chunk);
      if (output.includes('hello from the mesh')) child.stdin.end();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.stdin.on('error', () => {});
    return new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`openssl is needed for this test: ${error.message}`)));
      child.once('close', () => resolve(output));
    });
  }

  it('speaks TLS 1.3 with AES-256 and h2, and verifies', async () => {
    const output = await visit('-alpn', 'h2');
    expect(output).to.include('New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384');
    expect(output).to.include('ALPN protocol: h2');
    expect(output).to.include('Verify return code: 0 (ok)');
    expect(output).to.include('hello from the mesh');
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
