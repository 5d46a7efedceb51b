import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { IdempotencyPolicy } from '@clearmesh/shared/model/l7/resilience';
import { idempotencyKeyOf, parseIdempotencyKey } from '../../src/shape/idempotency-key.ts';
import { idempotencyPolicy, request } from './requests.ts';

describe('parseIdempotencyKey (RFC 8941 section 3.3.3, or bare)', () => {
  const uuid = '8e03978e-40d5-43dd-bc93-6894a57f9324';
  const table: readonly [string, string | undefined][] = [
    [`"${uuid}"`, uuid],
    [uuid, uuid],
    [`  "${uuid}"\t`, uuid],
    [String.raw`"a\"b\\c"`, String.raw`a"b\c`],
    ['"two words, and a comma"', 'two words, and a comma'],
    ['YWJj/ZGVm+Zw==', 'YWJj/ZGVm+Zw=='],
    ['', undefined],
    ['""', undefined],
    ['"open', undefined],
    ['open"', undefined],
    [String.raw`"a\b"`, undefined],
    ['"a";p=1', undefined],
    ['one, two', undefined],
    ['"one", "two"', undefined],
    ['two words', undefined],
    ['"caf\u00e9"', undefined],
    ['a\u0000b', undefined],
    ['x'.repeat(255), 'x'.repeat(255)],
    ['x'.repeat(256), undefined],
    [`"${String.raw`\"`.repeat(255)}"`, '"'.repeat(255)],
    [`"${'x'.repeat(256)}"`, undefined],
  ];
  for (const [text, key] of table)
    it(`reads ${JSON.stringify(text.slice(0, 40))} of ${text.length} as ${key === undefined ? 'no key' : 'a key'}`, () => {
      expect(parseIdempotencyKey(text)).to.equal(key);
    });

  it('never throws, and gives no key longer than 255', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 600, unit: 'binary' }), (text) => (parseIdempotencyKey(text)?.length ?? 0) <= 255),
    );
  });

  it('reads every key that is written as a string', () => {
    const printable = fc.string({ minLength: 1, maxLength: 255, unit: 'grapheme-ascii' });
    fc.assert(fc.property(printable, (key) => parseIdempotencyKey(`"${key.replaceAll(/["\\]/g, String.raw`\$&`)}"`) === key));
  });
});

describe('idempotencyKeyOf', () => {
  const table: readonly {
    title: string;
    policy?: Partial<IdempotencyPolicy>;
    method?: string;
    value?: string | string[];
    gives: string;
  }[] = [
    { title: 'finds the key of an unsafe request', value: '"k1"', gives: 'keyed k1' },
    { title: 'takes quoted and bare for the same key', value: 'k1', gives: 'keyed k1' },
    { title: 'leaves a safe request alone', method: 'GET', value: '"k1"', gives: 'none' },
    { title: 'lets a request without a key pass where none is required', gives: 'none' },
    {
      title: 'refuses a request without a key where one is required',
      policy: { required: true },
      gives: 'idempotency-key-missing',
    },
    { title: 'refuses an empty key', value: '', gives: 'idempotency-key-invalid' },
    { title: 'refuses several keys that were joined', value: '"k1", "k2"', gives: 'idempotency-key-invalid' },
    { title: 'refuses several keys', value: ['k1', 'k1'], gives: 'idempotency-key-invalid' },
    { title: 'leaves deduplication to a native service', policy: { mode: 'native' }, value: 'k1', gives: 'native k1' },
    {
      title: 'refuses a missing key before a native service',
      policy: { mode: 'native', required: true },
      gives: 'idempotency-key-missing',
    },
    {
      title: 'reads the header the policy names',
      policy: { header: 'x-idempotency-key', required: true },
      value: 'k1',
      gives: 'idempotency-key-missing',
    },
  ];
  for (const { title, policy = {}, method = 'POST', value, gives } of table)
    it(title, () => {
      const headers = value === undefined ? {} : { 'idempotency-key': value };
      const verdict = idempotencyKeyOf(idempotencyPolicy(policy), request({ method, headers }));
      const shown =
        verdict.kind === 'refused' ? verdict.failure.kind : 'key' in verdict ? `${verdict.kind} ${verdict.key}` : verdict.kind;
      expect(shown).to.equal(gives);
    });

  it('asks nothing without a policy', () => {
    expect(idempotencyKeyOf(undefined, request())).to.deep.equal({ kind: 'none' });
  });
});
