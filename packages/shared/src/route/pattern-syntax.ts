/**
 * Reads a regular expression into a tree. The syntax is what RE2 and JavaScript have in common: what needs backtracking
 * (back-references, look-around, word boundaries) is refused, so that every pattern that is accepted runs in linear time.
 */

/** UTF-16 code units, both inclusive. */
export type CharRange = readonly [from: number, to: number];

export type PatternNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'chars'; readonly ranges: readonly CharRange[] }
  | { readonly kind: 'begin' }
  | { readonly kind: 'end' }
  | { readonly kind: 'sequence'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly options: readonly PatternNode[] }
  /** `max` may be Infinity; `item` is never empty. */
  | { readonly kind: 'repeat'; readonly item: PatternNode; readonly min: number; readonly max: number };

export type PatternReading =
  | { readonly kind: 'pattern'; readonly node: PatternNode }
  | { readonly kind: 'refused'; readonly reason: string };

/** As RE2: a higher count is a program, not a pattern. */
const maxRepeat = 1000;
const maxUnit = 0xffff;

const digits: readonly CharRange[] = [[0x30, 0x39]];
const wordCharacters: readonly CharRange[] = [...digits, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const spaces: readonly CharRange[] = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
];
const anyButNewline: readonly CharRange[] = [
  [0, 0x09],
  [0x0b, maxUnit],
];

const classes: Readonly<Record<string, readonly CharRange[]>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
};
const controls: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d };

const empty: PatternNode = { kind: 'empty' };

/** `(?i)` in front folds the case of ASCII letters. */
export function parsePattern(source: string): PatternReading {
  try {
    return { kind: 'pattern', node: new PatternParser(source).parse() };
  } catch (thrown) {
    if (thrown instanceof PatternSyntaxError) return { kind: 'refused', reason: thrown.message };
    throw thrown;
  }
}

class PatternSyntaxError extends Error {}

class PatternParser {
  readonly #source: string;
  readonly #fold: boolean;
  #at: number;

  constructor(source: string) {
    this.#source = source;
    this.#fold = source.startsWith('(?i)');
    this.#at = this.#fold ? 4 : 0;
  }

  parse(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#source.length) this.#refuse('a ) without its (');
    return node;
  }

  #choice(): PatternNode {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    const [only] = options;
    return options.length === 1 && only !== undefined ? only : { kind: 'choice', options };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#source.length && !this.#sees('|') && !this.#sees(')')) {
      const item = this.#repeated();
      if (item.kind !== 'empty') items.push(item);
    }
    const [first] = items;
    if (first === undefined) return empty;
    return items.length === 1 ? first : { kind: 'sequence', items };
  }

  #repeated(): PatternNode {
    const item = this.#atom();
    const count = this.#count();
    if (count === undefined) return item;
    // Lazy or greedy: whether a text matches as a whole is the same.
    this.#take('?');
    if (this.#sees('*') || this.#sees('+') || this.#sees('?') || this.#sees('{')) this.#refuse('a quantifier of a quantifier');
    if (item.kind === 'empty' || count.max === 0) return empty;
    return { kind: 'repeat', item, ...count };
  }

  #count(): { readonly min: number; readonly max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Infinity };
    if (this.#take('+')) return { min: 1, max: Infinity };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (!this.#sees('{')) return undefined;
    const [whole, from, comma, to] = this.#read(/\{(\d{1,4})(,?)(\d{0,4})\}/y) ?? [];
    if (whole === undefined || from === undefined) return this.#refuse('a { that begins no count; write \\{');
    const min = Number(from);
    const max = to === undefined || to === '' ? (comma === '' ? min : Infinity) : Number(to);
    if (max < min || min > maxRepeat || (max !== Infinity && max > maxRepeat))
      this.#refuse(`a count that is not from 0 to ${maxRepeat}`);
    return { min, max };
  }

  #atom(): PatternNode {
    const sign = this.#source.charAt(this.#at);
    this.#at += 1;
    switch (sign) {
      case '(':
        return this.#group();
      case '[':
        return this.#chars(this.#class());
      case '.':
        return { kind: 'chars', ranges: anyButNewline };
      case '^':
        return { kind: 'begin' };
      case '$':
        return { kind: 'end' };
      case '\\':
        return this.#chars(this.#escape());
      case '*':
      case '+':
      case '?':
      case '{':
        return this.#refuse(`a ${sign} with nothing before it to repeat`);
      case ']':
      case '}':
        return this.#refuse(`a ${sign} of its own; write \\${sign}`);
      default:
        return this.#chars(unit(sign.charCodeAt(0)));
    }
  }

  #group(): PatternNode {
    if (this.#sees('?') && this.#read(/\?(?::|P?<[A-Za-z_]\w*>)/y) === undefined)
      this.#refuse('look-around or flags inside the pattern, which are not supported');
    const node = this.#choice();
    if (!this.#take(')')) this.#refuse('a ( without its )');
    return node;
  }

  #class(): readonly CharRange[] {
    const negated = this.#take('^');
    const ranges: CharRange[] = [];
    while (!this.#take(']')) {
      const from = this.#member();
      if (!this.#sees('-') || this.#source.charAt(this.#at + 1) === ']') {
        ranges.push(...from);
        continue;
      }
      this.#at += 1;
      const low = onlyUnit(from);
      const last = onlyUnit(this.#member());
      if (low === undefined || last === undefined || last < low)
        return this.#refuse('a range in [] that runs from no character to a later one');
      ranges.push([low, last]);
    }
    if (ranges.length === 0) this.#refuse('a [] without a member');
    const folded = this.#fold ? foldCase(ranges) : ranges;
    return negated ? complement(folded) : folded;
  }

  #member(): readonly CharRange[] {
    if (this.#at >= this.#source.length) this.#refuse('a [ without its ]');
    const sign = this.#source.charAt(this.#at);
    this.#at += 1;
    if (sign === '[') this.#refuse('a [ inside []; write \\[');
    return sign === '\\' ? this.#escape() : unit(sign.charCodeAt(0));
  }

  #escape(): readonly CharRange[] {
    const sign = this.#source.charAt(this.#at);
    this.#at += 1;
    const known = classes[sign];
    if (known !== undefined) return known;
    const control = controls[sign];
    if (control !== undefined) return unit(control);
    if (sign === 'x') {
      const [, hex] = this.#read(/([0-9A-Fa-f]{2})/y) ?? [];
      return hex === undefined ? this.#refuse('a \\x without two hexadecimal digits') : unit(Number.parseInt(hex, 16));
    }
    // Letters and digits that mean nothing today may mean something elsewhere: \b, \1, \p{…}.
    if (sign === '' || /\w/.test(sign)) this.#refuse(`\\${sign}, which is not supported`);
    return unit(sign.charCodeAt(0));
  }

  #chars(ranges: readonly CharRange[]): PatternNode {
    return { kind: 'chars', ranges: this.#fold ? foldCase(ranges) : ranges };
  }

  #sees(sign: string): boolean {
    return this.#source.charAt(this.#at) === sign;
  }

  #take(sign: string): boolean {
    if (!this.#sees(sign)) return false;
    this.#at += 1;
    return true;
  }

  /** @param form sticky */
  #read(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.#source) ?? undefined;
    this.#at += found?.[0].length ?? 0;
    return found;
  }

  #refuse(what: string): never {
    throw new PatternSyntaxError(`has ${what} (near character ${Math.min(this.#at, this.#source.length)})`);
  }
}

/** The code unit that ranges are, if they are one. */
function onlyUnit(ranges: readonly CharRange[]): number | undefined {
  const [first] = ranges;
  return ranges.length === 1 && first !== undefined && first[0] === first[1] ? first[0] : undefined;
}

function unit(code: number): readonly CharRange[] {
  return [[code, code]];
}

/** Adds the other case of ASCII letters. */
function foldCase(ranges: readonly CharRange[]): readonly CharRange[] {
  const folded: CharRange[] = [...ranges];
  for (const [from, to] of ranges) {
    if (Math.max(from, 0x41) <= Math.min(to, 0x5a)) folded.push([Math.max(from, 0x41) + 32, Math.min(to, 0x5a) + 32]);
    if (Math.max(from, 0x61) <= Math.min(to, 0x7a)) folded.push([Math.max(from, 0x61) - 32, Math.min(to, 0x7a) - 32]);
  }
  return folded;
}

function complement(ranges: readonly CharRange[]): readonly CharRange[] {
  const rest: CharRange[] = [];
  let next = 0;
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (from > next) rest.push([next, from - 1]);
    next = Math.max(next, to + 1);
  }
  if (next <= maxUnit) rest.push([next, maxUnit]);
  return rest;
}
