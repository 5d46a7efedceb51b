import { expect } from 'chai';
import { describe, it } from 'mocha';
import { filterBaggage } from '../../../src/telemetry/tracing/baggage-filter.ts';

describe('filterBaggage', () => {
  for (const [name, value, allowed, expected] of [
    ['no baggage', undefined, ['tenant'], undefined],
    ['an empty list of keys', 'tenant=a', [], undefined],
    ['members that are not allowed', 'tenant=a,secret=b , user=c', ['user', 'tenant'], 'tenant=a,user=c'],
    ['properties', 'tenant=a;p=1', ['tenant'], 'tenant=a;p=1'],
    ['several headers', ['tenant=a', 'user=b'], ['user'], 'user=b'],
    ['a prefix of an allowed key', 'ten=a', ['tenant'], undefined],
    ['nonsense', ',,=,x', ['x'], undefined],
  ] as const) {
    it(`reduces ${name} to ${expected ?? 'nothing'}`, () => {
      expect(filterBaggage(value, new Set(allowed))).to.equal(expected);
    });
  }

  it('stays below 8192 bytes', () => {
    const member = `tenant=${'a'.repeat(1_000)}`;
    const kept =
      filterBaggage(
        Array.from({ length: 20 }, () => member),
        new Set(['tenant']),
      ) ?? '';
    expect(kept.length).to.be.within(1_000, 8_192);
  });
});
