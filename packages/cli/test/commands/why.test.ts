import { expect } from 'chai';
import { describe, it } from 'mocha';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { runWhy } from '../../src/commands/why.ts';
import type { WhyOptions } from '../../src/commands/why.ts';
import { ManifestErrors } from '../../src/up/manifest-errors.ts';
import { Captured } from './captured-console.ts';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const bank = folder('../../../../examples/bank');

async function why(
  to: string,
  options: Partial<WhyOptions> = {},
  directory = bank,
  ifEnrolled = true,
): Promise<Captured & { status: number }> {
  const captured = new Captured();
  const place = { kind: 'directory', directory, ifEnrolled, systemNamespace: 'clearmesh-system' } as const;
  const status = await runWhy(
    { from: 'payments/payments-0', to, output: 'table', place, ...options },
    captured.deps,
    AbortSignal.timeout(10_000),
  );
  return Object.assign(captured, { status });
}

describe('clearmesh why', () => {
  it('lets payments of the small bank call the ledger', async () => {
    const { status, out } = await why('ledger/ledger');
    expect([status, out.split('\n')[0]]).to.deep.equal([0, 'ALLOWED  payments/payments-0 → ledger/ledger:8080']);
    expect(out).to.include('rule 0 of AuthorizationPolicy ledger/allow-payments (ALLOW) matches');
    expect(out).to.match(/mTLS tunnel +payments\/payments-0 → ledger\/ledger-0, ledger\/ledger-1/);
  });

  it('refuses payments of the small bank to customer-analytics, and names the policy', async () => {
    const { status, out } = await why('customer-analytics/analytics');
    expect([status, out.split('\n')[0]]).to.deep.equal([1, 'REFUSED  payments/payments-0 → customer-analytics/analytics:6379']);
    expect(out).to.include('rule 0 of AuthorizationPolicy customer-analytics/never-payments (DENY) matches');
    expect(out).to.match(/What to change\n +→ If the call is wanted, narrow rule 0/);
  });

  it('says of a bank that is not in the mesh yet what would be in it', async () => {
    const { status, out } = await why('customer-analytics/analytics', {}, bank, false);
    expect(status).to.equal(0);
    expect(out.replaceAll(/\s+/g, ' ')).to.include(
      'In the mesh it would be REFUSED: rule 0 of AuthorizationPolicy customer-analytics/never-payments',
    );
  });

  it('prints the whole explanation as JSON', async () => {
    const { out } = await why('customer-analytics/analytics', { output: 'json' });
    const { verdict, groups } = JSON.parse(out) as {
      verdict: string;
      groups: { connection: { policies: { object: string; decides: boolean }[] } }[];
    };
    const deciding = groups[0]?.connection.policies.filter(({ decides }) => decides).map(({ object }) => object);
    expect([verdict, deciding]).to.deep.equal(['REFUSED', ['AuthorizationPolicy customer-analytics/never-payments']]);
  });

  it('refuses a directory that is none, and manifests that are wrong', async () => {
    await using broken = await mkdtempDisposable(join(tmpdir(), 'clearmesh-why-'));
    await writeFile(join(broken.path, 'pod.yaml'), 'apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n');
    const [none, wrong] = await Promise.all(
      [folder('./nowhere'), broken.path].map((directory) => why('ledger/ledger', {}, directory).catch((error: unknown) => error)),
    );
    expect([none instanceof MeshError && none.code, wrong instanceof ManifestErrors]).to.deep.equal(['MESH-CONFIG-003', true]);
  });

  for (const [options, message] of [
    [{ path: 'entries' }, /--path: entries/],
    [{ path: '/a/../b' }, /--path/],
    [{ method: 'G T' }, /--method: G T/],
  ] as const) {
    it(`refuses ${JSON.stringify(options)}`, async () => {
      const error = await why('ledger/ledger', options).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(MeshError).with.property('message').that.matches(message);
    });
  }
});
