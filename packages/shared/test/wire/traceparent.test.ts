import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { formatTraceparent, isSampled, newTraceparent, parseTraceparent } from '@clearmesh/shared/wire/traceparent';

const traceId = '2386bc7b5c9cd0c58f7086161f3407dd';
const spanId = '43307e7129c3c069';

describe('traceparent (W3C Trace Context section 3.2)', () => {
  it('is fresh and not recorded for a new connection', () => {
    expect(formatTraceparent(newTraceparent(new FakeRandom()))).to.equal(
      '00-0102030405060708090a0b0c0d0e0f10-1112131415161718-00',
    );
    expect(isSampled(newTraceparent(systemRandom))).to.equal(false);
    expect(formatTraceparent(newTraceparent(systemRandom))).to.match(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('reads what upstream sent', () => {
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).to.deep.equal({ traceId, spanId, flags: 0 });
  });

  it('reads the flags', () => expect(parseTraceparent(`00-${traceId}-${spanId}-01`)?.flags).to.equal(1));

  for (const [flags, sampled] of [
    ['00', false],
    ['01', true],
    ['02', false],
    ['ff', true],
  ] as const) {
    it(`is ${sampled ? '' : 'not '}recorded with flags ${flags}, and is written as it was read`, () => {
      const text = `00-${traceId}-${spanId}-${flags}`;
      const read = parseTraceparent(text);
      expect(read && isSampled(read)).to.equal(sampled);
      expect(read && formatTraceparent(read)).to.equal(text);
    });
  }

  it('reads a later version with more fields', () => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-more`)?.traceId).to.equal(traceId);
  });

  const invalid: readonly string[] = [
    '',
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}`,
    ` 00-${traceId}-${spanId}-01`,
  ];
  for (const text of invalid) it(`refuses ${JSON.stringify(text)}`, () => expect(parseTraceparent(text)).to.equal(undefined));

  it('never throws on any text', () => fc.assert(fc.property(fc.string(), (text) => void parseTraceparent(text))));
});
