import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { compilePattern } from '../../src/route/pattern.ts';

function matches(source: string, text: string): boolean {
  const compilation = compilePattern(source);
  if (compilation.kind === 'refused') throw new Error(`${source} ${compilation.reason}`);
  return compilation.pattern.test(text);
}

describe('compilePattern', () => {
  const table: readonly (readonly [source: string, text: string, gives: boolean])[] = [
    ['/entries/[0-9]+', '/entries/42', true],
    ['/entries/[0-9]+', '/entries/42/lines', false],
    ['/entries', '/entries/42', false],
    ['^/entries$', '/entries', true],
    ['a^b', 'ab', false],
    ['(^a|b)c', 'ac', true],
    ['a$|ab', 'ab', true],
    ['', '', true],
    ['', 'a', false],
    ['a|', '', true],
    ['.*', 'anything at all', true],
    ['.', '\n', false],
    ['v\\d+(\\.\\d+)?', 'v12.3', true],
    ['v\\d+(\\.\\d+)?', 'v12.', false],
    ['[^/]+', 'a/b', false],
    ['[\\w.-]+@[\\w.-]+', 'a.b@c-d', true],
    ['[a-c-]+', 'a-c', true],
    ['(?:ab){2,3}', 'abab', true],
    ['(?:ab){2,3}', 'abababab', false],
    ['a{2}', 'aa', true],
    ['a{2,}', 'aaaa', true],
    ['a{0}', '', true],
    ['a{0}', 'a', false],
    ['(a*)*', 'aaaa', true],
    ['(a|a)*b', 'aaab', true],
    ['(?P<year>\\d{4})', '2026', true],
    ['(?<year>\\d{4})', '26', false],
    ['(?i)Bearer [a-z]+', 'bEARER Abc', true],
    ['(?i)[^a]', 'A', false],
    ['\\x2fa', '/a', true],
    ['\\.', 'x', false],
    ['a.c', 'a\u20acc', true],
    ['a+?', 'aaa', true],
    ['(?:^)*a(?:$)+', 'a', true],
  ];
  for (const [source, text, gives] of table)
    it(`${JSON.stringify(source)} ${gives ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () =>
      expect(matches(source, text)).to.equal(gives));

  const refused: readonly (readonly [source: string, why: RegExp])[] = [
    ['(a', /\( without its \)/],
    ['a)', /\) without its \(/],
    ['[a', /\[ without its \]/],
    ['[]', /\[\] without a member/],
    ['[z-a]', /no character to a later one/],
    ['[\\d-z]', /no character to a later one/],
    ['*a', /nothing before it to repeat/],
    ['a**', /quantifier of a quantifier/],
    ['a{3,1}', /count that is not from 0 to 1000/],
    ['a{1001}', /count that is not from 0 to 1000/],
    ['a{x}', /begins no count/],
    ['(a)\\1', /\\1, which is not supported/],
    ['\\bword', /\\b, which is not supported/],
    ['(?=a)', /look-around/],
    ['(?!a)b', /look-around/],
    ['(?<=a)b', /look-around/],
    ['a\\', /\\, which is not supported/],
    ['a}', /write \\}/],
    ['((a{1000}){1000}){1000}', /repeats too much/],
    ['(((|){1000}){1000}){1000}', /repeats too much/],
    ['a'.repeat(1025), /longer than 1024/],
  ];
  for (const [source, why] of refused)
    it(`refuses ${source.slice(0, 40)}`, () =>
      expect(compilePattern(source)).to.have.property('kind', 'refused') &&
      expect(compilePattern(source)).to.have.property('reason').that.matches(why));

  it('makes nothing of empty repetitions', () => expect(matches('((()*){1000}){1000}', '')).to.equal(true));

  it('does not match more than 8 192 characters', () => {
    expect(matches('a*', 'a'.repeat(8192))).to.equal(true);
    expect(matches('a*', 'a'.repeat(8193))).to.equal(false);
  });

  for (const source of ['(a+)+$', '(a|a)*b', '(.*a){20}x', '(a|b)*a(a|b){500}', '(x+x+)+y'])
    it(`takes time linear in the text for ${source}`, () => {
      const startedMs = performance.now();
      const text = Array.from({ length: 8000 }, (_, index) => ((index * 7919) % 13 < 6 ? 'a' : 'b')).join('');
      matches(source, 'a'.repeat(8000));
      matches(source, 'x'.repeat(8000));
      matches(source, text);
      expect(performance.now() - startedMs).to.be.lessThan(2000);
    });

  it('agrees with a backtracking engine', () => {
    const leaf = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\d', '', '^', '$', '/', '-', '\\.');
    const { tree } = fc.letrec<{ tree: string }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => a + b),
        fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a}|${b})`),
        fc.tuple(tie('tree'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0,}')).map(([a, count]) => `(?:${a})${count}`),
      ),
    }));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '1', '.', '-'), maxLength: 8 });
    fc.assert(
      fc.property(tree, fc.array(text, { minLength: 1, maxLength: 8 }), (source, texts) => {
        const reference = new RegExp(`^(?:${source})$`, 'u');
        for (const each of texts) expect(matches(source, each), `${source} on ${each}`).to.equal(reference.test(each));
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws, whatever is written', () => {
    const signs = fc.string({ unit: fc.constantFrom(...'ab()[]{}*+?|^$\\.-,0129xdw:<>P=!i'.split('')), maxLength: 20 });
    fc.assert(
      fc.property(fc.oneof(signs, fc.string()), fc.string(), (source, text) => {
        const compilation = compilePattern(source);
        if (compilation.kind === 'compiled') compilation.pattern.test(text);
      }),
      { numRuns: 2000 },
    );
  });
});
