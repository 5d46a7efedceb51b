import { expect } from 'chai';
import { describe, it } from 'mocha';
import { compileMatches, matchesAny } from '../../src/route/match.ts';
import { exact, httpMatch, pattern, routed } from './routes.ts';

describe('matchesAny', () => {
  const compiled = (...matches: Parameters<typeof compileMatches>[0]): ReturnType<typeof compileMatches> =>
    compileMatches(matches, (problem) => expect.fail(problem));

  it('takes every request where there is no match to make', () => expect(matchesAny(compiled(), routed())).to.equal(true));

  it('takes what one of them takes', () => {
    const matches = compiled(httpMatch({ path: exact('/a') }), httpMatch({ method: 'POST' }));
    expect(matchesAny(matches, routed({ path: '/a' }))).to.equal(true);
    expect(matchesAny(matches, routed({ path: '/b', method: 'POST' }))).to.equal(true);
    expect(matchesAny(matches, routed({ path: '/b' }))).to.equal(false);
  });

  it('reports what can never match, and never matches it', () => {
    const problems: string[] = [];
    const broken = [httpMatch({ path: pattern('(') }), httpMatch({ path: exact('//') })];
    const matches = compileMatches(broken, (problem) => problems.push(problem));
    expect(problems).to.have.lengthOf(2);
    expect(matchesAny(matches, routed({ path: '(' }))).to.equal(false);
    expect(matchesAny(matches, routed({ path: '//' }))).to.equal(false);
  });
});
