import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parsePath, pathMatches } from '../../src/authorise/l7-path.ts';

function matches(template: string, path: string): boolean | undefined {
  const parsed = parsePath(template);
  return parsed === undefined ? undefined : pathMatches(parsed, path);
}

describe('path templates', () => {
  const rows: readonly (readonly [template: string, path: string, result: boolean | undefined])[] = [
    ['/a/{*}', '/a/b', true],
    ['/a/{*}', '/a/', false],
    ['/a/{*}', '/a/b/c', false],
    ['/a/{*}/c', '/a/b/c', true],
    ['/a/{*}/c', '/a/b/d', false],
    ['/a/{*}/c', '/a//c', false],
    ['/{*}', '/a', true],
    ['/{*}/{*}', '/a/b', true],
    ['/{*}/{*}', '/a', false],
    ['/a/{**}', '/a/', true],
    ['/a/{**}', '/a/b/c', true],
    ['/a/{**}', '/ab', false],
    ['/{**}', '/', true],
    ['/a/{**}/z', '/a/b/c/z', true],
    ['/a/{**}/z', '/a/z', true],
    ['/a/{**}/z', '/az', false],
    ['/a/{**}/z', '/a/z/y', false],
    ['/a/{*}/{**}', '/a/b/c/d', true],
    ['/a/{**}/{*}/z', '/a/b/c/z', true],
    ['/a/{**}/{*}/z', '/a/z', false],
    ['/{**}/{**}', '/a/b', undefined],
    ['/a{*}', '/ab', undefined],
    ['/a/{*}*', '/a/b', undefined],
    ['{*}', 'a', undefined],
    ['/a/{id}', '/a/{id}', true],
  ];
  for (const [template, path, result] of rows) {
    const verb = result === undefined ? 'is no template for' : result ? 'matches' : 'does not match';
    it(`${template} ${verb} ${path}`, () => expect(matches(template, path)).to.equal(result));
  }

  it('agree with the regular expression they stand for', () => {
    const part = fc.constantFrom('a', 'b', '{*}', '{**}');
    const templates = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`);
    const paths = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
    fc.assert(
      fc.property(templates, paths, (template, path) => {
        const result = matches(template, path);
        if (result === undefined || !/\{/.test(template)) return;
        const text = template.replaceAll('/{**}/', '/(?:.*/)?').replaceAll('{**}', '.*').replaceAll('{*}', '[^/]+');
        expect(result).to.equal(new RegExp(`^${text}$`).test(path), `${template} ${path}`);
      }),
      { numRuns: 2_000 },
    );
  });
});
