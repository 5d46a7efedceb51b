/**
 * Who may open a tunnel (l4-contract section 2.6): a client independent of Clearmesh, from an address outside the mesh,
 * with a right certificate and with each wrong one. What must hold: a wrong one gets no HTTP/2 byte, and the
 * application sees nothing.
 */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { join } from 'node:path';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import type { LeafSpec } from '@clearmesh/shared/testing/test-authority';
import { meshAuthority, writeCredentials } from '../harness/credentials.ts';
import { callHbone } from '../harness/hbone-client.ts';
import type { HboneCall, HboneResult } from '../harness/hbone-client.ts';
import { heardDuring } from '../harness/heard.ts';
import { RunningMesh } from '../harness/mesh.ts';
import { scrape } from '../harness/metrics.ts';

const caller = 'spiffe://cluster.local/ns/bank/sa/client-sa';
const dayMs = 86_400_000;

type Case = {
  readonly name: string;
  readonly spec?: LeafSpec;
  readonly call?: Partial<HboneCall>;
  readonly authority?: 'mesh' | 'foreign' | 'none';
  /** The alert's text, where OpenSSL itself sends one; every other refusal is a plain close. */
  readonly alert?: RegExp;
};

const accepted: readonly Case[] = [
  { name: 'a right certificate' },
  { name: 'no extended key usage', spec: { usages: [] } },
  { name: 'clientAuth only', spec: { usages: ['clientAuth'] } },
  { name: 'two URIs, the second of the trust domain', spec: { uris: ['spiffe://other.example/ns/bank/sa/x', caller] } },
  { name: 'an https URI before the SPIFFE one', spec: { uris: ['https://bank.example/', caller] } },
  { name: 'a SAN that is not critical', spec: { criticalSan: false } },
  { name: 'no ALPN', call: { alpn: [] } },
];

const refused: readonly (Case & { readonly reason: string })[] = [
  { reason: 'no-certificate', name: 'no certificate', authority: 'none', alert: /certificate.required/i },
  { reason: 'unknown-authority', name: 'an unknown root', authority: 'foreign' },
  {
    reason: 'expired',
    name: 'an expired certificate',
    spec: { notBefore: Date.now() - 2 * dayMs, notAfter: Date.now() - dayMs },
  },
  { reason: 'not-yet-valid', name: 'a certificate not yet valid', spec: { notBefore: Date.now() + dayMs } },
  { reason: 'other-trust-domain', name: 'another trust domain', spec: { uris: ['spiffe://other.example/ns/bank/sa/client-sa'] } },
  { reason: 'no-identity', name: 'a DNS name and no SPIFFE id', spec: { uris: [], dnsNames: ['client.bank.svc'] } },
  { reason: 'no-identity', name: 'a SPIFFE id of another shape', spec: { uris: ['spiffe://cluster.local/workload/client'] } },
  { reason: 'wrong-usage', name: 'serverAuth only', spec: { usages: ['serverAuth'] } },
  { reason: 'protocol-version', name: 'TLS 1.2', call: { maxVersion: '1.2' }, alert: /protocol.version|unsupported.protocol/i },
  { reason: 'application-protocol', name: 'ALPN http/1.1', call: { alpn: ['http/1.1'] }, alert: /no application protocol/i },
];

describe('an HBONE listener and certificates', () => {
  let mesh: RunningMesh;
  let authorities: { readonly mesh: TestAuthority; readonly foreign: TestAuthority };

  before(async function () {
    this.timeout(90_000);
    mesh = await RunningMesh.start({ manifests: join(import.meta.dirname, '../manifests') });
    authorities = { mesh: await meshAuthority(mesh), foreign: await TestAuthority.create({ name: 'foreign root' }) };
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  async function attempt(one: Case): Promise<HboneResult> {
    const server = mesh.pod('bank/server');
    const attacker = mesh.pod('outside/attacker');
    const kind = one.authority ?? 'mesh';
    const written = await writeCredentials(mesh, authorities[kind === 'foreign' ? 'foreign' : 'mesh'], 'attempt', {
      uris: [caller],
      ...one.spec,
    });
    const credentials = kind === 'none' ? { ca: written.ca } : written;
    const streams = [{ authority: `${server.ip}:8080`, body: 'ping' }];
    return callHbone(attacker.namespacePath, { host: server.ip, streams, ...credentials, ...one.call });
  }

  for (const one of accepted) {
    it(`opens a tunnel for ${one.name}`, async () => {
      const result = await attempt(one);
      expect(result.streams[0], JSON.stringify(result)).to.include({ status: 200, data: 'ping' });
      expect(result.tls).to.deep.include({ version: 'TLSv1.3', peerUris: ['spiffe://cluster.local/ns/bank/sa/server-sa'] });
    });
  }

  for (const one of refused) {
    it(`refuses ${one.name} before any HTTP/2, and the application sees nothing`, async () => {
      const { result, heard } = await heardDuring(mesh, () => attempt(one));
      expect(result.connected).to.equal(true);
      expect(result.closed, JSON.stringify(result)).to.equal(true);
      expect(result.settings).to.deep.equal({});
      expect(result.streams.every((stream) => stream.status === null)).to.equal(true);
      if (one.alert !== undefined) expect(result.alert).to.match(one.alert);
      expect(heard).to.deep.equal([]);
    });
  }

  it('has counted every refusal with its reason, and serves the next right certificate', async () => {
    const counted = await scrape(mesh, 'node-b', 'clearmesh_denials_total');
    const expected = new Map<string, number>();
    for (const { reason } of refused) expected.set(`tls-${reason}`, (expected.get(`tls-${reason}`) ?? 0) + 1);
    expect(new Map(counted.map(({ labels, value }) => [labels['reason'], value]))).to.deep.equal(expected);
    const result = await attempt({ name: 'a right certificate' });
    expect(result.streams[0]).to.include({ status: 200 });
  });
});
