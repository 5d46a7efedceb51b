import { expect } from 'chai';
import { describe, it } from 'mocha';
import { changedRequest, mergedChanges } from '../../src/authorise/request-view.ts';
import type { RequestChanges } from '../../src/exchange/stage.ts';
import { noChanges } from '../../src/exchange/stage.ts';
import { request } from './requests.ts';

describe('a changed request', () => {
  it('is the same object where nothing changes', () => {
    const asked = request();
    expect(changedRequest(asked, noChanges)).to.equal(asked);
    expect(changedRequest(asked, { set: {}, remove: ['x-absent'] })).to.equal(asked);
  });

  it('has other headers, and leaves the first its own', () => {
    const asked = request({ headers: { a: '1', b: '2' } });
    expect(changedRequest(asked, { set: { c: '3' }, remove: ['a'] }).headers).to.deep.equal({ b: '2', c: '3' });
    expect(asked.headers).to.deep.equal({ a: '1', b: '2' });
  });

  const queries: readonly (readonly [query: string, changes: NonNullable<RequestChanges['query']>, changed: string])[] = [
    ['a=1&b=2&a=3', { set: {}, remove: ['a'] }, 'b=2'],
    ['a=1', { set: {}, remove: ['a'] }, ''],
    ['a=1', { set: { a: ['x y', 'z'] }, remove: [] }, 'a=x%20y&a=z'],
    ['', { set: { 'é&': ['='] }, remove: [] }, '%C3%A9%26=%3D'],
    ['%61=1&b=2', { set: {}, remove: ['a'] }, 'b=2'],
    ['b=%2f', { set: { a: [] }, remove: [] }, 'b=%2f'],
  ];
  for (const [query, changes, changed] of queries) {
    it(`has ${JSON.stringify(changed)} of ${JSON.stringify(query)} by ${JSON.stringify(changes)}`, () => {
      expect(changedRequest(request({ query }), { ...noChanges, query: changes }).query).to.equal(changed);
    });
  }
});

describe('changes one after the other', () => {
  it('end as the later ones say', () => {
    const first = { set: { a: '1', b: '1' }, remove: ['c', 'd'], query: { set: { p: ['1'], q: ['1'] }, remove: ['r'] } };
    const then = { set: { c: '2', b: '2' }, remove: ['a'], query: { set: { r: ['2'] }, remove: ['p'] } };
    expect(mergedChanges(first, then)).to.deep.equal({
      set: { b: '2', c: '2' },
      remove: ['d', 'a'],
      query: { set: { q: ['1'], r: ['2'] }, remove: ['r', 'p'] },
    });
  });
});
