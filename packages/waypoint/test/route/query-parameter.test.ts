import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { queryParameter } from '../../src/route/query-parameter.ts';

describe('queryParameter', () => {
  const table: readonly (readonly [query: string, name: string, gives: string | undefined])[] = [
    ['', 'a', undefined],
    ['a=1', 'a', '1'],
    ['b=1&a=2', 'a', '2'],
    ['a=1&a=2', 'a', '1'],
    ['a', 'a', ''],
    ['a=', 'a', ''],
    ['a&b=2', 'b', '2'],
    ['aa=1', 'a', undefined],
    ['A=1', 'a', undefined],
    ['a=b=c', 'a', 'b=c'],
    ['a=x+y%20z', 'a', 'x y z'],
    ['%61=1', 'a', '1'],
    ['a=%zz', 'a', '%zz'],
    ['a=%ff', 'a', '%ff'],
    ['&&a=1&', 'a', '1'],
    ['=1', '', undefined],
  ];
  for (const [query, name, gives] of table)
    it(`finds ${JSON.stringify(gives)} for ${name} in ${JSON.stringify(query)}`, () =>
      expect(queryParameter(query, name)).to.equal(gives));

  it('finds what a form wrote', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string()), { maxLength: 5 }), (pairs) => {
        const query = new URLSearchParams(pairs).toString();
        for (const [name] of pairs) expect(queryParameter(query, name)).to.equal(new URLSearchParams(query).get(name));
      }),
    );
  });
});
