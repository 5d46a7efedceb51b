import { expect } from 'chai';
import { describe, it } from 'mocha';
import { matchesSelector } from '../../src/derive/labels.ts';
import type { LabelExpression } from '../../src/manifest/gateway.ts';

describe('matchesSelector', () => {
  const labels = { tier: 'gold', zone: 'a' };
  const table: readonly [LabelExpression, boolean][] = [
    [{ key: 'tier', operator: 'In', values: ['gold', 'silver'] }, true],
    [{ key: 'tier', operator: 'In', values: ['silver'] }, false],
    [{ key: 'tier', operator: 'In' }, false],
    [{ key: 'none', operator: 'In', values: ['gold'] }, false],
    [{ key: 'tier', operator: 'NotIn', values: ['gold'] }, false],
    [{ key: 'tier', operator: 'NotIn', values: ['silver'] }, true],
    [{ key: 'none', operator: 'NotIn', values: ['gold'] }, true],
    [{ key: 'tier', operator: 'Exists' }, true],
    [{ key: 'none', operator: 'Exists' }, false],
    [{ key: 'tier', operator: 'DoesNotExist' }, false],
    [{ key: 'none', operator: 'DoesNotExist' }, true],
  ];
  for (const [expression, expected] of table) {
    it(`${expected ? 'holds' : 'fails'} for ${expression.key} ${expression.operator} ${expression.values?.join() ?? ''}`, () => {
      expect(matchesSelector(labels, { matchExpressions: [expression] })).to.equal(expected);
    });
  }

  it('needs labels and expressions together, and holds when it asks for nothing', () => {
    const gold: LabelExpression = { key: 'tier', operator: 'In', values: ['gold'] };
    expect(matchesSelector(labels, { matchLabels: { zone: 'a' }, matchExpressions: [gold] })).to.equal(true);
    expect(matchesSelector(labels, { matchLabels: { zone: 'b' }, matchExpressions: [gold] })).to.equal(false);
    expect(matchesSelector(labels, {})).to.equal(true);
  });
});
