import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { standInFor } from '../../src/watch/stand-in.ts';
import { serviceTarget } from '../fixtures/manifest-text.ts';
import type { StandIn } from '../../src/watch/stand-in.ts';

const metadata = { name: 'p', namespace: 'bank' };

function standIn(kind: string, spec: unknown, more: object = {}): StandIn | undefined {
  const object = { apiVersion: 'any', kind, metadata: { ...metadata, uid: 'u', ...more }, spec };
  return standInFor(object, { rootNamespace: 'clearmesh-system' });
}

const ledger = serviceTarget('ledger');
const gate = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gate' };
const lostTargets: readonly (readonly [string, unknown])[] = [
  ['targets that are no list', { targetRefs: ledger }],
  ['a target without a name', { targetRefs: [{ kind: 'Service' }] }],
  ['a target of another kind', { targetRefs: [ledger, { kind: 'Servise', name: 'ledger' }] }],
  ['a target elsewhere', { targetRefs: [{ kind: 'Service', name: 'ledger', namespace: 'cards' }] }],
  ['a mistyped field and no target', { targetReffs: [ledger] }],
  ['a spec that is a list', []],
  ['a spec that is null', null],
];

describe('what stands for an OpaPolicy that cannot be read', () => {
  const of = (spec: unknown, more?: object): StandIn | undefined => standIn('OpaPolicy', spec, more);
  const lost =
    'Whom it is for cannot be read: every request is refused (503) at the waypoints of all services and Gateways of namespace bank, until it is mended.';

  for (const [title, targetRefs, where] of [
    ['its target', [ledger], 'Service ledger'],
    ['its targets', [ledger, gate], 'Service ledger, Gateway gate'],
    ['its namespace', [{ kind: 'Namespace', name: 'bank' }], 'Namespace bank'],
  ] as const) {
    it(`has no engine, for ${title}`, () => {
      const found = of({ targetRefs, engine: { wasm: 1 }, path: 'a/b', cache: { ttl: '1s', inputs: ['x'] } });
      const value = { metadata, spec: { targetRefs, engine: {} }, standIn: 'attached' };
      expect(found?.manifest).to.deep.equal({ kind: 'OpaPolicy', value });
      expect(found?.effect).to.equal(`Every request is refused (503) at the waypoints of ${where}, until it is mended.`);
    });
  }

  for (const [title, spec] of [
    ...lostTargets,
    ['no target', { targetRefs: [] }],
    ['a single target', { targetRef: 1 }],
  ] as const) {
    it(`is for its whole namespace with ${title}`, () => {
      const value = { metadata, spec: { targetRefs: [], engine: {} }, standIn: 'namespace' };
      expect(of(spec)).to.deep.equal({ manifest: { kind: 'OpaPolicy', value }, effect: lost });
    });
  }

  it('is there for any spec at all, and has no engine', () => {
    fc.assert(
      fc.property(fc.oneof(fc.record({ targetRefs: fc.jsonValue(), engine: fc.jsonValue() }), fc.jsonValue()), (spec) => {
        expect(of(spec)?.manifest.value).to.deep.nested.include({ 'spec.engine': {} });
      }),
    );
  });

  it('is not there for one of another revision', () => {
    expect(of({ targetRefs: [ledger] }, { labels: { 'istio.io/rev': 'canary' } })).to.equal(undefined);
  });
});
