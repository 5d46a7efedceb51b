import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate, webcrypto } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { openClusterRoot } from '../../src/certify/cluster-root.ts';
import { issueLeaf } from '@clearmesh/shared/certify/leaf';
import { ecP256 } from '@clearmesh/shared/certify/root-authority';
import { ApiPeer, failure } from '../fixtures/api-peer.ts';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { RootAuthority } from '@clearmesh/shared/certify/root-authority';

const secrets = '/api/v1/namespaces/clearmesh-system/secrets';
const options = { namespace: 'clearmesh-system', trustDomain: 'cluster.local' };

/** Secrets of an API server: found by name, made once. */
async function peerWithSecrets(): Promise<ApiPeer> {
  const peer = await ApiPeer.start();
  const stored = new Map<string, unknown>();
  peer.always(secrets, ({ method, path, body }, response) => {
    const name = method === 'POST' ? (body as { metadata: { name: string } }).metadata.name : path.slice(secrets.length + 1);
    if (method === 'GET' && !stored.has(name)) return failure(404, 'NotFound')(response, {} as never);
    if (method === 'POST' && stored.has(name)) return failure(409, 'AlreadyExists')(response, {} as never);
    if (method === 'POST') stored.set(name, withData(body as { stringData: Readonly<Record<string, string>> }));
    response.end(JSON.stringify(stored.get(name)));
  });
  return peer;
}

function withData({ stringData, ...others }: { stringData: Readonly<Record<string, string>> }): unknown {
  const data = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...others, data: Object.fromEntries(data) };
}

async function open(peer: ApiPeer, clock: Clock = systemClock): Promise<RootAuthority> {
  using api = new ApiClient({}, { kubeConfig: peer.kubeConfig, clock });
  const deps = { api, clock, random: systemRandom, logger: silentLogger };
  return (await openClusterRoot(options, deps, AbortSignal.timeout(8000))).authority;
}

async function keep(peer: ApiPeer, name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${peer.port}${secrets}`, {
    method: 'POST',
    body: JSON.stringify({ metadata: { name }, stringData }),
  });
  await response.text();
}

/** A bank's authority: root, and an intermediate that signs. */
function bankAuthority(directory: string, newKey: readonly string[]): Readonly<Record<string, string>> {
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  writeFileSync(at('ca.ext'), 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n');
  for (const name of ['root', 'ca']) openssl('genpkey', ...newKey, '-out', at(`${name}.key`));
  openssl('req', '-x509', '-key', at('root.key'), '-subj', '/O=Bank/CN=Root', '-days', '10', '-out', at('root.pem'));
  openssl('req', '-new', '-key', at('ca.key'), '-subj', '/O=Bank/CN=Mesh', '-out', at('ca.csr'));
  const issuer = ['-CA', at('root.pem'), '-CAkey', at('root.key'), '-extfile', at('ca.ext'), '-days', '5'];
  openssl('x509', '-req', '-in', at('ca.csr'), ...issuer, '-out', at('ca.pem'));
  const text = (name: string): string => readFileSync(at(name), 'utf8');
  return {
    'ca-cert.pem': text('ca.pem'),
    'ca-key.pem': text('ca.key'),
    'cert-chain.pem': text('ca.pem') + text('root.pem'),
    'root-cert.pem': text('root.pem'),
  };
}

describe('openClusterRoot', () => {
  it('makes one root for replicas that start at once, and finds it later', async () => {
    await using peer = await peerWithSecrets();
    const roots = await Promise.all(Array.from({ length: 5 }, () => open(peer)));
    roots.push(await open(peer));
    expect(new Set(roots.map(({ rootPem }) => rootPem)).size).to.equal(1);
    const { ca, validTo } = new X509Certificate(roots[0]!.rootPem);
    expect(ca).to.equal(true);
    expect(new Date(validTo).getUTCFullYear()).to.equal(new Date().getUTCFullYear() + 10);
  });

  for (const [title, newKey] of [
    ['P-256', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['P-384', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['RSA', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ] as const) {
    it(`signs with a plugged-in authority of ${title}, and hands out its chain`, async () => {
      await using peer = await peerWithSecrets();
      await using directory = await TemporaryDirectory.create();
      await open(peer);
      await keep(peer, 'cacerts', bankAuthority(directory.path, newKey));
      const root = await open(peer);
      const [intermediate] = root.intermediates.map((pem) => new X509Certificate(pem));
      expect(root.intermediates).to.have.length(1);
      const { publicKey } = await webcrypto.subtle.generateKey(ecP256, true, ['sign', 'verify']);
      const leaf = await issueLeaf(root, {
        publicKey,
        names: [{ type: 'dns', value: 'x' }],
        nowMs: Date.now(),
        lifetimeMs: 1000_000,
      });
      expect(new X509Certificate(leaf.pem).verify(intermediate!.publicKey)).to.equal(true);
      expect(intermediate!.verify(new X509Certificate(root.rootPem).publicKey)).to.equal(true);
    });
  }

  it('refuses an authority that it cannot use, rather than take another', async () => {
    await using directory = await TemporaryDirectory.create();
    const authority = bankAuthority(directory.path, ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    const foreign = await TemporaryDirectory.create();
    const other = bankAuthority(foreign.path, ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    await foreign[Symbol.asyncDispose]();
    for (const [spoilt, reason] of [
      [{ ...authority, 'ca-key.pem': '' }, /has no ca-key\.pem/],
      [{ ...authority, 'ca-key.pem': other['ca-key.pem'] ?? '' }, /not the certificate’s/],
      [{ ...authority, 'root-cert.pem': other['root-cert.pem'] ?? '' }, /not issued by the next one/],
      [{ ...authority, 'ca-cert.pem': 'x' }, /exactly one certificate/],
    ] as const) {
      await using peer = await peerWithSecrets();
      await keep(peer, 'cacerts', spoilt);
      const error: unknown = await open(peer).catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'MESH-CERT-002');
      expect(String(error)).to.match(reason);
    }
  });

  it('waits for an API server that does not answer yet', async () => {
    const clock = new FakeClock(Date.now());
    await using peer = await peerWithSecrets();
    peer.next(secrets, failure(503, 'ServiceUnavailable'));
    peer.next(secrets, failure(403, 'Forbidden'));
    const opening = open(peer, clock);
    for (const calls of [1, 2]) {
      await peer.until(() => peer.calls.length === calls && (clock.lastTimerMs ?? 30_000) < 1000, 'the wait');
      clock.advance(1000);
    }
    expect((await opening).intermediates).to.deep.equal([]);
  });
});
