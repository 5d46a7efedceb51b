/** STRICT by default, and PERMISSIVE with an end (design decision 4). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { call, derived, now, verdict } from '../fixtures/derivation.ts';
import { peerAuthentication, pod } from '../fixtures/objects.ts';
import type { DeriveOptions } from '../../src/derive/options.ts';
import type { Manifest } from '../../src/manifest/collections.ts';

const branch = 'cluster.local/ns/branches/sa/teller';

describe('mTLS by default', () => {
  const strict = 'clearmesh-system/istio_converted_static_strict';
  const listed = (manifests: readonly Manifest[], options: Partial<DeriveOptions> = {}, nowMs = now): readonly string[] =>
    derived([pod('a', { labels: { app: 'a' } }), ...manifests], options, nowMs).workloads[0]!.authorizationPolicies;
  const permissive = (until?: string): Manifest =>
    peerAuthentication({ mtls: { mode: 'PERMISSIVE' } }, until === undefined ? {} : { until });

  it('is STRICT without any PeerAuthentication', () => {
    expect(listed([])).to.deep.equal([strict]);
    const authorization = derived([]).policies.find((p) => p.key === strict)!;
    expect(verdict(authorization, call(undefined))).to.equal('deny');
    expect(verdict(authorization, call(branch))).to.equal('allow');
  });

  it('is open where the option says so', () => {
    expect(listed([], { defaultMtls: 'PERMISSIVE' })).to.deep.equal([]);
  });

  it('opens for a PERMISSIVE with a date ahead, and tells when that ends', () => {
    expect(listed([permissive('2026-01-31')])).to.deep.equal([]);
    expect(derived([permissive('2026-01-31')]).changesAtMs).to.equal(Date.UTC(2026, 1, 1));
  });

  it('is STRICT again from that moment', () => {
    expect(listed([permissive('2026-01-31')], {}, Date.UTC(2026, 1, 1) - 1)).to.deep.equal([]);
    expect(listed([permissive('2026-01-31')], {}, Date.UTC(2026, 1, 1))).to.deep.equal([strict]);
    expect(derived([permissive('2026-01-31')], {}, Date.UTC(2026, 1, 1)).changesAtMs).to.equal(undefined);
  });

  it('stays STRICT for a PERMISSIVE without a date, or with one that is none', () => {
    expect(listed([permissive()])).to.deep.equal([strict]);
    expect(listed([permissive('soon')])).to.deep.equal([strict]);
  });

  it('opens without a date where none is required', () => {
    expect(listed([permissive()], { requirePermissiveExpiry: false })).to.deep.equal([]);
  });

  it('treats DISABLE as PERMISSIVE', () => {
    expect(listed([peerAuthentication({ mtls: { mode: 'DISABLE' } }, { until: '2026-01-31' })])).to.deep.equal([]);
    expect(listed([peerAuthentication({ mtls: { mode: 'DISABLE' } })])).to.deep.equal([strict]);
  });

  it('opens single ports, until the date', () => {
    const spec = { selector: { matchLabels: { app: 'a' } }, portLevelMtls: { '9090': { mode: 'PERMISSIVE' } } } as const;
    const open = peerAuthentication(spec, { until: '2026-01-31' });
    expect(listed([open])).to.deep.equal(['bank/converted_peer_authentication_pa']);
    const authorization = derived([open]).policies.find((p) => p.name === 'converted_peer_authentication_pa')!;
    expect(verdict(authorization, call(undefined, 9090))).to.equal('allow');
    expect(verdict(authorization, call(undefined, 8080))).to.equal('deny');
    expect(listed([open], {}, Date.UTC(2026, 1, 1))).to.deep.equal([strict]);
  });

  it('lets the oldest object of a level win, and the first name among equals', () => {
    const at = (name: string, mode: 'STRICT' | 'PERMISSIVE', created?: string): Manifest =>
      peerAuthentication({ mtls: { mode } }, { name, until: '2026-01-31', ...(created === undefined ? {} : { created }) });
    expect(listed([at('a', 'PERMISSIVE', '2025-02-01T00:00:00Z'), at('b', 'STRICT', '2025-01-01T00:00:00Z')])).to.deep.equal([
      strict,
    ]);
    expect(listed([at('b', 'STRICT'), at('a', 'PERMISSIVE')])).to.deep.equal([]);
  });
});
