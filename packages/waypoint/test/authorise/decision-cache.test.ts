import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { canonicalJson } from '../../src/authorise/canonical-json.ts';
import { DecisionCache } from '../../src/authorise/decision-cache.ts';
import type { DecisionKeyParts } from '../../src/authorise/decision-cache.ts';
import { readResult } from '../../src/authorise/opa-result.ts';
import type { OpaDecision } from '../../src/authorise/opa-result.ts';

const inputs = ['attributes.request.http.method', 'parsed_path'];
const allowed = readResult(true) as OpaDecision;
const denied = readResult(false) as OpaDecision;

function parts(changes: Partial<DecisionKeyParts> = {}, method = 'GET'): DecisionKeyParts {
  return {
    document: { attributes: { request: { http: { method, id: 'any' } } }, parsed_path: ['a'] },
    revision: '1',
    path: 'a/allow',
    service: 'ledger/ledger:8080',
    principal: 'spiffe://cluster.local/ns/a/sa/b',
    claims: undefined,
    ...changes,
  };
}

function cacheOf(ttlMs = 60_000): { readonly cache: DecisionCache; readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, cache: new DecisionCache({ ttlMs, inputs, maxEntries: 2 }, { clock }) };
}

describe('decisions that are kept', () => {
  it('are found by what the policy reads, and not by the rest', () => {
    const { cache } = cacheOf();
    const other = { attributes: { request: { http: { method: 'GET', id: 'other' } } }, parsed_path: ['a'] };
    expect(cache.keyOf(parts({ document: other }))).to.equal(cache.keyOf(parts()));
  });

  const differing: readonly (readonly [title: string, parts: DecisionKeyParts])[] = [
    ['another declared input', parts({}, 'POST')],
    ['another revision', parts({ revision: '2' })],
    ['another rule', parts({ path: 'b/allow' })],
    ['another service', parts({ service: 'ledger/ledger:8081' })],
    ['another caller', parts({ principal: 'spiffe://cluster.local/ns/a/sa/c' })],
    ['other claims', parts({ claims: { sub: 'alice' } })],
    ['an absent input', parts({ document: { parsed_path: ['a'] } })],
  ];
  for (const [title, one] of differing) {
    it(`are not those for ${title}`, () => {
      const { cache } = cacheOf();
      expect(cache.keyOf(one)).not.to.equal(cache.keyOf(parts()));
    });
  }

  const lifetimes: readonly (readonly [
    title: string,
    decision: OpaDecision,
    ttlMs: number,
    tokenMs: number | undefined,
    expectedMs: number,
  ])[] = [
    ['an allowance its time', allowed, 5_000, undefined, 5_000],
    ['an allowance 30 s at most', allowed, 60_000, undefined, 30_000],
    ['an allowance no longer than its token', allowed, 20_000, 3_000, 3_000],
    ['a denial 2 s', denied, 20_000, undefined, 2_000],
    ['a denial its time', denied, 500, undefined, 500],
  ];
  for (const [title, decision, ttlMs, tokenMs, expectedMs] of lifetimes) {
    it(`live: ${title}`, () => {
      const { cache, clock } = cacheOf(ttlMs);
      cache.keep('key', decision, '1', tokenMs === undefined ? undefined : clock.now() + tokenMs);
      clock.advance(expectedMs - 1);
      expect(cache.get('key')).to.have.property('decision', decision);
      clock.advance(1);
      expect(cache.get('key')).to.equal(undefined);
    });
  }

  it('are not kept for a token that has ended', () => {
    const { cache, clock } = cacheOf();
    cache.keep('key', allowed, '1', clock.now() - 1);
    expect(cache.size).to.equal(0);
  });

  it('are bounded, the least used going first', () => {
    const { cache } = cacheOf();
    cache.keep('a', allowed, '1', undefined);
    cache.keep('b', allowed, '1', undefined);
    cache.get('a');
    cache.keep('c', allowed, '1', undefined);
    expect([cache.get('a'), cache.get('b'), cache.get('c')].map((kept) => kept !== undefined)).to.deep.equal([true, false, true]);
  });

  it('are forgotten together', () => {
    const { cache } = cacheOf();
    cache.keep('a', allowed, '1', undefined);
    cache.clear();
    expect(cache.get('a')).to.equal(undefined);
  });
});

describe('canonical JSON', () => {
  const rows: readonly (readonly [value: unknown, text: string])[] = [
    [{ b: 1, a: { d: [], c: null } }, '{"a":{"c":null,"d":[]},"b":1}'],
    [[undefined, { a: undefined }], '[null,{}]'],
    [{ '\u20ac': 1, '\r': 2, '1': 3, '\ud83d\ude00': 4, '\ufb33': 5 }, '{"\\r":2,"1":3,"€":1,"😀":4,"\ufb33":5}'],
    [[1e21, 0.1, -0, 1e-7], '[1e+21,0.1,0,1e-7]'],
  ];
  for (const [value, text] of rows) it(`is ${text}`, () => expect(canonicalJson(value)).to.equal(text));

  it('is the same whatever the order of keys, and says the same', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(reversed)).to.equal(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).to.deep.equal(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
