/** The authority with real requests; what it issues is judged by openssl. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { spiffeIdsOf } from '@clearmesh/shared/identity/certificate';
import { X509Certificate } from 'node:crypto';
import { CertificateAuthority } from '../../src/certify/certificate-authority.ts';
import { CurrentRoot } from '../../src/certify/current-root.ts';
import { createRoot, readRoot } from '@clearmesh/shared/certify/root-authority';
import { pod } from '../fixtures/objects.ts';
import { rsaSigningRequest, signingRequest, stolenKeyRequest } from '../fixtures/signing-requests.ts';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import type { Caller } from '../../src/certify/caller.ts';
import type { CertificateAnswer, CertificateRequest } from '../../src/certify/certificate-authority.ts';

const run = promisify(execFile);
const teller: Caller = { namespace: 'bank', serviceAccount: 'teller' };
const ztunnel: Caller = {
  namespace: 'clearmesh-system',
  serviceAccount: 'ztunnel',
  pod: { name: 'z', uid: 'u' },
  node: 'node-a',
};

async function authority(rootLifetimeMs?: number): Promise<CertificateAuthority> {
  const pem = await createRoot({
    trustDomain: 'cluster.local',
    nowMs: Date.now(),
    ...(rootLifetimeMs === undefined ? {} : { lifetimeMs: rootLifetimeMs }),
  });
  return new CertificateAuthority(
    { trustDomain: 'cluster.local', trustedNodeAccounts: new Set(['clearmesh-system/ztunnel']) },
    {
      root: new CurrentRoot(readRoot(pem, Date.now())),
      clock: systemClock,
      pods: () => [pod('ledger-0', { account: 'ledger' }).value],
    },
  );
}

async function ask(request: Partial<CertificateRequest>, rootLifetimeMs?: number): Promise<CertificateAnswer> {
  const csr = request.csr ?? (await signingRequest());
  return (await authority(rootLifetimeMs)).answer({ caller: teller, impersonated: '', lifetimeS: 0n, ...request, csr });
}

async function issued(request: Partial<CertificateRequest>, rootLifetimeMs?: number): Promise<readonly [string, string]> {
  const answer = await ask(request, rootLifetimeMs);
  if (answer.kind !== 'issued') throw new Error(answer.reason);
  const [leaf, root = ''] = answer.chain;
  return [leaf, root];
}

describe('CertificateAuthority', () => {
  it('issues a leaf that openssl verifies in both roles, with the names of the token only', async () => {
    await using directory = await TemporaryDirectory.create();
    const [leaf, root] = await issued({});
    const [leafFile, rootFile] = [join(directory.path, 'leaf.pem'), join(directory.path, 'root.pem')];
    await writeFile(leafFile, leaf);
    await writeFile(rootFile, root);
    for (const purpose of ['sslserver', 'sslclient']) {
      const { stdout } = await run('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', rootFile, leafFile]);
      expect(stdout).to.contain(': OK');
    }
    const { stdout: text } = await run('openssl', ['x509', '-in', leafFile, '-noout', '-text']);
    expect(text).to.match(/Subject: *\n/);
    expect(text).to.match(/X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/bank\/sa\/teller\n/);
    expect(text).to.match(/X509v3 Key Usage: critical\s+Digital Signature, Key Encipherment\n/);
    expect(text).to.match(/X509v3 Extended Key Usage: *\n\s+TLS Web Server Authentication, TLS Web Client Authentication\n/);
    expect(text).to.match(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(text).to.contain('Signature Algorithm: ecdsa-with-SHA256');
    expect(text).not.to.contain('evil');
    expect(text).not.to.contain('vault');
  });

  it('signs the key of the request', async () => {
    const csr = await signingRequest();
    const [leaf] = await issued({ csr });
    await using directory = await TemporaryDirectory.create();
    const file = join(directory.path, 'csr.pem');
    await writeFile(file, csr);
    const { stdout } = await run('openssl', ['req', '-in', file, '-noout', '-pubkey']);
    expect(new X509Certificate(leaf).publicKey.export({ type: 'spki', format: 'pem' })).to.equal(stdout);
  });

  const lifetimes: readonly [bigint, number][] = [
    [0n, 86_400],
    [60n, 60],
    [90n * 86_400n, 90 * 86_400],
  ];
  for (const [asked, given] of lifetimes) {
    it(`lets a certificate live ${given} s when ${asked} s are asked for, and begin two minutes ago`, async () => {
      const [leaf] = await issued({ lifetimeS: asked });
      const { validFromDate, validToDate } = new X509Certificate(leaf);
      expect((validToDate.getTime() - validFromDate.getTime()) / 1000).to.be.closeTo(given + 120, 1);
      expect((Date.now() - validFromDate.getTime()) / 1000).to.be.closeTo(120, 10);
    });
  }

  it('never lets a leaf outlive the root', async () => {
    const [leaf, root] = await issued({}, 3_600_000);
    expect(new X509Certificate(leaf).validTo).to.equal(new X509Certificate(root).validTo);
  });

  it('gives each certificate a serial number of its own', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => issued({})));
    expect(new Set(answers.map(([leaf]) => new X509Certificate(leaf).serialNumber)).size).to.equal(20);
  });

  it('impersonates for a node proxy', async () => {
    const [leaf] = await issued({ caller: ztunnel, impersonated: 'spiffe://cluster.local/ns/bank/sa/ledger' });
    expect(spiffeIdsOf(new X509Certificate(leaf).raw)).to.deep.equal(['spiffe://cluster.local/ns/bank/sa/ledger']);
  });

  it('refuses to impersonate who does not run there', async () => {
    expect((await ask({ caller: ztunnel, impersonated: 'spiffe://cluster.local/ns/bank/sa/vault' })).kind).to.equal(
      'unauthenticated',
    );
  });

  for (const lifetimeS of [-1n, 90n * 86_400n + 1n, 2n ** 62n]) {
    it(`refuses a lifetime of ${lifetimeS} s`, async () => {
      expect(await ask({ lifetimeS })).to.deep.include({ kind: 'invalid' });
    });
  }

  const spoilt: readonly [string, () => Promise<string>, RegExp][] = [
    ['an empty request', async () => '', /one PEM block/],
    ['a certificate instead', async () => (await issued({}))[0], /one PEM block/],
    ['text around the block', async () => `${await signingRequest()}\nx`, /one PEM block/],
    ['two blocks', async () => (await signingRequest()) + (await signingRequest()), /one PEM block/],
    [
      'a block that is no ASN.1',
      async () => '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n',
      /cannot be read/,
    ],
    [
      'a block cut in half',
      async () => (await signingRequest()).replace(/(REQUEST-----\n.{64}\n)[\s\S]*(-----END)/, '$1$2'),
      /cannot be read/,
    ],
    [
      'a request of 100 KB',
      async () => `-----BEGIN CERTIFICATE REQUEST-----\n${'A'.repeat(100_000)}\n-----END CERTIFICATE REQUEST-----\n`,
      /one PEM block/,
    ],
    ['a key on P-384', () => signingRequest({ namedCurve: 'P-384' }), /P-256/],
    ['an RSA key', rsaSigningRequest, /P-256/],
    ['a key the caller does not hold', stolenKeyRequest, /not signed by its own key/],
  ];
  for (const [title, csr, reason] of spoilt) {
    it(`refuses ${title}`, async () => {
      const answer = await ask({ csr: await csr() });
      expect(answer.kind).to.equal('invalid');
      expect(answer.kind === 'invalid' ? answer.reason : '').to.match(reason);
    });
  }

  it('refuses a request with any bit of its signature or key flipped', async () => {
    const good = await signingRequest();
    const der = Buffer.from(good.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    for (let at = 0; at < der.length; at += 7) {
      const bytes = Buffer.from(der);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
      expect((await ask({ csr })).kind, `byte ${at}`).to.equal('invalid');
    }
  });
});
