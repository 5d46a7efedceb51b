import { expect } from 'chai';
import { describe, it } from 'mocha';
import fc from 'fast-check';
import { review } from '../../src/admit/review.ts';

const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };

function question(object: unknown, request: object = {}): object {
  const common = { uid: 'u-1', operation: 'CREATE', namespace: 'ledger', object };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { ...common, ...request } };
}

type Response = {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly message: string };
};

function responseTo(object: unknown, request: object = {}): Response {
  const verdict = review(JSON.parse(JSON.stringify(question(object, request))), rules);
  if (verdict.kind === 'malformed') throw new Error('malformed');
  const { response } = verdict.answer as { readonly response: Response };
  expect(response.allowed).to.equal(verdict.kind === 'allowed');
  expect(response.uid).to.equal('u-1');
  return response;
}

const targetRefs = [{ group: '', kind: 'Service', name: 'ledger' }];
const policy = (spec: object, metadata: object = {}): object => ({
  apiVersion: 'clearmesh.io/v1alpha1',
  kind: 'ResiliencePolicy',
  metadata: { name: 'calls', namespace: 'ledger', ...metadata },
  spec,
});
const wrong = policy({ targetRefs, timeouts: { request: '1s', backendRequest: '2s' } });
const gateway = (gatewayClassName: string): object => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'gate', namespace: 'ledger' },
  spec: { gatewayClassName, listeners: [{ name: 'mesh', port: 'x', protocol: 'HBONE' }] },
});

describe('review', () => {
  it('allows what is right', () => {
    expect(responseTo(policy({ targetRefs }))).to.deep.equal({ uid: 'u-1', allowed: true });
  });

  it('says which field is wrong, what was found, and what to do', () => {
    const { status } = responseTo(policy({ targetRefs, class: 'money' }));
    expect(status?.code).to.equal(422);
    expect(status?.message).to.equal(
      'spec.class must be one of standard, money-movement (found "money"). Write one of standard, money-movement.',
    );
  });

  it('refuses what no schema can say', () => {
    expect(responseTo(wrong).status?.message).to.match(/^spec\.timeouts/);
  });

  it('counts what it does not spell out', () => {
    const unknown = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`field${index}`, 1]));
    expect(responseTo(policy({ targetRefs, ...unknown })).status?.message).to.match(/And 2 more\.$/);
  });

  const allowed: readonly [string, unknown, object?][] = [
    ['a deletion', null, { operation: 'DELETE' }],
    ['a status', wrong, { operation: 'UPDATE', subResource: 'status' }],
    ['an object that is about to go', policy({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), { operation: 'UPDATE' }],
    ['a kind that is not read', { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name: 'a' } }],
    ['a Gateway of another controller', gateway('istio')],
    ['one that the server is yet to name', policy({ targetRefs }, { name: undefined, generateName: 'calls-' })],
    ['one that the server is yet to place', policy({ targetRefs }, { namespace: undefined })],
  ];
  for (const [title, object, request] of allowed) {
    it(`allows ${title}`, () => {
      expect(responseTo(object, request).allowed).to.equal(true);
    });
  }

  it('refuses a waypoint’s Gateway that no waypoint could serve', () => {
    expect(responseTo(gateway('clearmesh-waypoint')).status?.message).to.match(/^spec\.listeners\[0\]\.port/);
  });

  it('answers whatever it is asked', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (metadata, spec) => {
        const asked = question({ apiVersion: 'clearmesh.io/v1alpha1', kind: 'ResiliencePolicy', metadata, spec });
        expect(['allowed', 'refused']).to.include(review(asked, rules).kind);
      }),
    );
  });

  it('takes nothing but a question of version v1', () => {
    fc.assert(fc.property(fc.anything(), (value) => review(value, rules).kind === 'malformed'));
    expect(review({ ...question(null), apiVersion: 'admission.k8s.io/v1beta1' }, rules).kind).to.equal('malformed');
  });
});
