import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { standInFor } from '../../src/watch/stand-in.ts';
import type { StandIn } from '../../src/watch/stand-in.ts';

type Facts = { readonly namespace?: string; readonly labels?: unknown; readonly annotations?: unknown; readonly kind?: string };

function standIn(spec: unknown, facts: Facts = {}): StandIn | undefined {
  const { kind = 'AuthorizationPolicy', namespace = 'bank', ...metadata } = facts;
  const object = { apiVersion: 'security.istio.io/v1', kind, metadata: { name: 'p', namespace, uid: 'u', ...metadata }, spec };
  return standInFor(object, { rootNamespace: 'clearmesh-system' });
}

function value(found: StandIn | undefined): unknown {
  expect(found).not.to.equal(undefined);
  return found?.manifest.value;
}

const metadata = { name: 'p', namespace: 'bank' };
const refusal = { action: 'DENY', rules: [{}] };
const matchLabels = { app: 'ledger' };
const gateway = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gate' };
const odd = { action: 'DENNY' };

describe('what stands for an AuthorizationPolicy that cannot be read', () => {
  const lost =
    'Whom it is for cannot be read: everybody is refused in namespace bank, at pods and waypoints, until it is mended.';
  const attached: readonly (readonly [string, object, object, string])[] = [
    [
      'the pods that it selects',
      { ...odd, selector: { matchLabels } },
      { selector: { matchLabels } },
      'at the pods that it selects',
    ],
    ['its one target', { ...odd, targetRef: gateway }, { targetRefs: [gateway] }, 'at Gateway gate'],
    [
      'its targets',
      { ...odd, targetRefs: [gateway, { kind: 'Service', name: 'ledger' }] },
      { targetRefs: [gateway, { kind: 'Service', name: 'ledger' }] },
      'at Gateway gate, Service ledger',
    ],
    [
      'pods and targets, where it names both',
      { ...odd, selector: { matchLabels }, targetRefs: [gateway] },
      { selector: { matchLabels }, targetRefs: [gateway] },
      'at the pods that it selects and at Gateway gate',
    ],
    ['all pods of an empty selector', { ...odd, selector: {} }, { selector: { matchLabels: {} } }, 'at the pods that it selects'],
    ['its namespace, where it names nobody', odd, {}, 'in namespace bank'],
  ];
  for (const [title, spec, attachment, where] of attached) {
    it(`refuses everybody at ${title}`, () => {
      const found = standIn(spec);
      expect(value(found)).to.deep.equal({ metadata, spec: { ...attachment, ...refusal }, standIn: 'attached' });
      expect(found?.effect).to.equal(`Everybody is refused ${where} until it is mended.`);
    });
  }

  for (const [title, spec] of [
    ['a selector of another form', { selector: { matchExpressions: [] } }],
    ['labels that are no text', { selector: { matchLabels: { app: 1 } } }],
    ['targets that are no list', { targetRefs: gateway }],
    ['a target without a name', { targetRefs: [{ kind: 'Service' }] }],
    ['a target of another kind', { targetRefs: [gateway, { kind: 'Servise', name: 'ledger' }] }],
    ['a target elsewhere', { targetRef: { kind: 'Service', name: 'ledger', namespace: 'cards' } }],
    ['a mistyped field and no attachment', { ...odd, targetReffs: [gateway] }],
    ['a spec that is a list', []],
    ['a spec that is null', null],
  ] as const) {
    it(`refuses everybody in the whole namespace for ${title}`, () => {
      const found = standIn(spec);
      expect(value(found)).to.deep.equal({ metadata, spec: refusal, standIn: 'namespace' });
      expect(found?.effect).to.equal(lost);
    });
  }

  it('is for the whole mesh in the root namespace', () => {
    expect(standIn(odd, { namespace: 'clearmesh-system' })?.effect).to.equal(
      'Everybody is refused in the whole mesh until it is mended.',
    );
    expect(standIn({ selector: 1 }, { namespace: 'clearmesh-system' })?.effect).to.contain('in the whole mesh, at pods and');
  });

  it('keeps labels and age, and of the annotations nothing', () => {
    const creationTimestamp = '2026-01-01T00:00:00Z';
    const more = { labels: { team: 'cards' }, creationTimestamp };
    expect(value(standIn(odd, { ...more, annotations: { 'istio.io/dry-run': 'perhaps' } }))).to.deep.nested.include({
      metadata: { ...metadata, ...more },
    });
  });

  it('is there for any spec at all, and refuses everybody', () => {
    const fields = fc.record(
      {
        selector: fc.jsonValue(),
        targetRef: fc.jsonValue(),
        targetRefs: fc.jsonValue(),
        action: fc.jsonValue(),
        x: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fields, fc.jsonValue()), (spec) => {
        expect(value(standIn(spec))).to.deep.nested.include({ 'spec.action': 'DENY', 'spec.rules': [{}] });
      }),
    );
  });

  it('is there for CUSTOM, which asked somebody who is not asked here', () => {
    expect(standIn({ action: 'CUSTOM', provider: { name: 'opa' }, rules: [{}] })?.effect).to.contain('in namespace bank');
  });

  it('is not there for what keeps nobody out', () => {
    expect(standIn({ action: 'AUDIT', rules: [{}] })).to.equal(undefined);
    expect(standIn(odd, { annotations: { 'istio.io/dry-run': 'true' } })).to.equal(undefined);
    expect(standIn(odd, { labels: { 'istio.io/rev': 'canary' } })).to.equal(undefined);
    expect(standIn(odd, { kind: 'RateLimitPolicy' })).to.equal(undefined);
  });
});

describe('what stands for a PeerAuthentication that cannot be read', () => {
  const of = (spec: unknown, namespace = 'bank'): StandIn | undefined => standIn(spec, { kind: 'PeerAuthentication', namespace });
  const mtls = { mode: 'STRICT' };

  it('is STRICT on all ports, for the pods that it selects', () => {
    const found = of({ selector: { matchLabels }, mtls: { mode: 'STRCT' }, portLevelMtls: { '80': { mode: 'PERMISSIVE' } } });
    expect(value(found)).to.deep.equal({ metadata, spec: { selector: { matchLabels }, mtls }, standIn: 'attached' });
    expect(found?.effect).to.equal('It counts as mode STRICT for the pods that it selects until it is mended.');
  });

  it('is STRICT where plaintext was wanted, and nothing legible says until when', () => {
    expect(value(of({ mtls: { mode: 'PERMISSIVE' } }))).to.deep.equal({ metadata, spec: { mtls }, standIn: 'attached' });
  });

  for (const spec of [{ selector: { matchLabels: [] } }, { selectr: { matchLabels } }, 'STRICT']) {
    it(`is for every pod of the namespace where its own cannot be read: ${JSON.stringify(spec)}`, () => {
      expect(value(of(spec))).to.deep.equal({ metadata, spec: { mtls }, standIn: 'namespace' });
      expect(of(spec)?.effect).to.equal('It counts as mode STRICT in namespace bank until it is mended.');
    });
  }

  it('is for the mesh in the root namespace, and is not there for a selector, which does nothing there', () => {
    expect(of({ mtls: 1 }, 'clearmesh-system')?.effect).to.contain('in the whole mesh');
    expect(of({ selector: { matchLabels }, mtls }, 'clearmesh-system')).to.equal(undefined);
  });
});
