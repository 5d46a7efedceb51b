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

describe('what stands for a RequestAuthentication that cannot be read', () => {
  const of = (spec: unknown, more?: object): StandIn | undefined => standIn('RequestAuthentication', spec, more);
  const odd = { issuer: 'https://login.bank', jwks: 'no keys' };
  const targeted = (jwtRules: unknown): object => ({ targetRefs: [ledger], jwtRules });
  const value = (unread: unknown, lost = false): object => ({
    kind: 'RequestAuthentication',
    value: {
      metadata,
      spec: lost ? {} : { targetRefs: [ledger] },
      standIn: lost ? 'namespace' : 'attached',
      unread,
    },
  });

  it('accepts no token where its rules look, and keeps their headers', () => {
    const places = {
      fromHeaders: [{ name: 'X-Jwt', prefix: 'JWT ' }],
      fromParams: ['jwt'],
      outputPayloadToHeader: 'x-payload',
      outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }],
    };
    const rules = [odd, { ...odd, ...places, timeout: '5s', audiences: 'ledger' }];
    const found = of(targeted(rules));
    expect(found?.manifest).to.deep.equal(value(rules));
    expect(found?.effect).to.equal(
      'No token is known to be good: requests that present a token where its rules look are refused (401) at the waypoints of Service ledger, until it is mended.',
    );
  });

  for (const [title, spec] of [
    ['rules that are no list', targeted(odd)],
    ['a rule that is none', targeted([odd, 'login'])],
    ['a place of another form', targeted([{ ...odd, fromHeaders: ['x-jwt'] }])],
    ['a place that is not looked at', targeted([{ ...odd, fromCookies: ['jwt'] }])],
    ['a header of another form', targeted([{ ...odd, outputClaimToHeaders: 'x-user' }])],
    ['a mistyped field of a rule', targeted([{ ...odd, fromHeader: [{ name: 'x-jwt' }] }])],
    ['a mistyped field beside the rules', { targetRefs: [ledger], jwtRulez: [odd] }],
  ] as const) {
    it(`accepts nobody with ${title}`, () => {
      const found = of(spec);
      expect(found?.manifest).to.deep.equal(value('all'));
      expect(found?.effect).to.equal(
        'Which tokens it is for cannot be read: every request is refused (401) at the waypoints of Service ledger, until it is mended.',
      );
    });
  }

  it('is for its whole namespace where its targets cannot be read, and for the mesh in the root namespace', () => {
    for (const [title, spec] of lostTargets) {
      if (spec === null || Array.isArray(spec)) continue;
      const found = of({ ...(spec as object), jwtRules: [odd] });
      const all = 'targetReffs' in (spec as object);
      expect(found?.manifest, title).to.deep.equal(value(all ? 'all' : [odd], true));
      expect(found?.effect).to.contain('at the waypoints of all services and Gateways of namespace bank, until');
    }
    for (const spec of [[], null]) expect(of(spec)?.manifest).to.deep.equal(value('all', true));
    expect(of(null, { namespace: 'clearmesh-system' })?.effect).to.contain(
      'every request is refused (401) at the waypoints of the whole',
    );
  });

  it('is there for any rules at all, and accepts no token', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (rules) => {
        const found = of(targeted(rules))?.manifest.value;
        if (Array.isArray(rules) && rules.length === 0) expect(found).to.equal(undefined);
        else expect(found).to.have.property('unread').that.is.not.empty;
      }),
    );
  });

  it('is not there for what looks at no token, and for what reaches no waypoint', () => {
    expect(of(targeted([]))).to.equal(undefined);
    expect(of({ targetRefs: [ledger] })).to.equal(undefined);
    expect(of({ jwtRules: [odd] })).to.equal(undefined);
    expect(of({ selector: { matchLabels: { app: 'ledger' } }, jwtRules: [odd] })).to.equal(undefined);
  });
});
