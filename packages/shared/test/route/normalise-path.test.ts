import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { normalisePath } from '../../src/route/normalise-path.ts';

describe('normalisePath', () => {
  const table: readonly (readonly [raw: string, path: string, query: string])[] = [
    ['/', '/', ''],
    ['/entries', '/entries', ''],
    ['/entries/', '/entries/', ''],
    ['/entries?from=1&to=2', '/entries', 'from=1&to=2'],
    ['/entries?', '/entries', ''],
    ['/?a?b=/../c//d', '/', 'a?b=/../c//d'],
    ['/%61dmin', '/admin', ''],
    ['/%7euser/%2D', '/~user/-', ''],
    ['/a%2bb%3a', '/a%2Bb%3A', ''],
    ['/caf%c3%a9', '/caf%C3%A9', ''],
    ['/%252e%252e/a', '/%252e%252e/a', ''],
    ['/...', '/...', ''],
    ['/..a/.b/c..', '/..a/.b/c..', ''],
    ["/a;v=1/b,c!$&'()*+=:@", "/a;v=1/b,c!$&'()*+=:@", ''],
    ['/ledger.Ledger/Balance', '/ledger.Ledger/Balance', ''],
    ['/?q=%zz{}|"', '/', 'q=%zz{}|"'],
  ];
  for (const [raw, path, query] of table)
    it(`gives ${path} for ${raw}`, () => expect(normalisePath(raw)).to.deep.equal({ kind: 'path', path, query }));

  it('takes the path out of an absolute form, and tells its authority', () => {
    const found = normalisePath('http://Ledger:8080/%61?q=1');
    expect(found).to.deep.equal({ kind: 'path', path: '/a', query: 'q=1', authority: 'Ledger:8080' });
    expect(normalisePath('HTTPS://ledger')).to.include({ path: '/', authority: 'ledger' });
    expect(normalisePath('http://ledger?q')).to.include({ path: '/', query: 'q' });
  });

  const refused: readonly (readonly [raw: string, why: RegExp])[] = [
    ['/a/../b', /dot segment/],
    ['/a/..', /dot segment/],
    ['/./a', /dot segment/],
    ['/.', /dot segment/],
    ['/..', /dot segment/],
    ['/a/%2e%2e/b', /dot segment/],
    ['/a/.%2E/b', /dot segment/],
    ['/a/%2e', /dot segment/],
    ['/a/..;x=1/b', /dot segment/],
    ['/a/.;/b', /dot segment/],
    ['//admin', /empty segment/],
    ['/a//b', /empty segment/],
    ['/a//', /empty segment/],
    ['/;/admin', /empty segment/],
    ['/a/;x=1', /empty segment/],
    ['/a%2fb', /escaped slash/],
    ['/a%2F..%2Fb', /escaped slash/],
    ['/a%5cb', /escaped slash/],
    ['/a\\..\\b', /U\+005C/],
    ['/a%00', /control character/],
    ['/a%0d%0a', /control character/],
    ['/a%7f', /control character/],
    ['/a%', /% without/],
    ['/a%2', /% without/],
    ['/a%zz', /% without/],
    ['/a% 1', /% without/],
    ['/a%+1', /% without/],
    ['/a b', /U\+0020/],
    ['/a#b', /U\+0023/],
    ['/caf\u00e9', /U\+00E9/],
    ['/a\r\nx: y', /U\+000D/],
    ['/?a\r\nx: y', /the query has the character U\+000D/],
    ['/?a#b', /the query has the character U\+0023/],
    ['/?a b', /the query has/],
    ['', /no path/],
    ['*', /no path/],
    ['admin', /no path/],
    ['ftp://ledger/', /no path/],
    ['http://user@ledger/', /no path/],
    ['http:///a', /no path/],
    ['http://ledger//a', /empty segment/],
    ['http://ledger/../a', /dot segment/],
    [`/${'a'.repeat(8192)}`, /longer than 8192/],
  ];
  for (const [raw, why] of refused)
    it(`refuses ${JSON.stringify(raw.slice(0, 40))}`, () => {
      const found = normalisePath(raw);
      expect(found).to.have.property('kind', 'refused');
      expect(found).to.have.property('reason').that.matches(why);
    });

  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2E',
    '%2f',
    '%5C',
    '%61',
    '%C3%A9',
    '%',
    '\\',
    ';',
    '?',
    '#',
    'a',
    'Z9',
    '%25',
    '//',
  );
  const target = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
    fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `/${text}`),
    fc.string({ maxLength: 20 }),
  );

  it('gives what it would give again, and what a URL parser leaves alone', () => {
    fc.assert(
      fc.property(target, (raw) => {
        const found = normalisePath(raw);
        if (found.kind === 'refused') return;
        const { path, query } = found;
        const spelt = query === '' ? path : `${path}?${query}`;
        expect(normalisePath(spelt)).to.deep.equal({ kind: 'path', path, query });
        expect(new URL(spelt, 'http://ledger').pathname).to.equal(path);
      }),
      { numRuns: 5000 },
    );
  });

  it('leaves no dot segment, however often it is decoded once more by a server', () => {
    fc.assert(
      fc.property(target, (raw) => {
        const found = normalisePath(raw);
        if (found.kind === 'refused') return;
        const segments = found.path
          .split(/\/|\\|%2f|%5c/i)
          .map((segment) => segment.replaceAll(/%2e/gi, '.').replace(/;.*$/, ''));
        expect(segments).to.not.include('.');
        expect(segments).to.not.include('..');
        expect(segments.slice(1, -1)).to.not.include('');
      }),
      { numRuns: 5000 },
    );
  });
});
