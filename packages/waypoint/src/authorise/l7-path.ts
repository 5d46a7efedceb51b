/**
 * Paths of policies: strings as elsewhere, and templates, where `{*}` stands for one segment and `{**}` for any number.
 * A template is cut into pieces when the policy is compiled, and read along the path without a regular expression:
 * its time is bounded by the path's length, whatever a caller sends.
 */
import type { StringMatch } from '@clearmesh/shared/model/authorization';
import { parseStringMatch } from '@clearmesh/shared/policy/string-match';
import { textMatches } from './l7-text.ts';

export type PathMatch =
  | { readonly kind: 'text'; readonly text: StringMatch }
  /** `tail` follows `{**}`; absent without one. Pieces are literal text, or `undefined` for a segment. */
  | { readonly kind: 'template'; readonly head: Pieces; readonly tail?: Pieces };

type Pieces = readonly (string | undefined)[];

const SEGMENT = '{*}';
const REST = '{**}';
const NO_MATCH = -1;

/** `undefined` for a template nobody can evaluate: braces that are no whole segment, or two `{**}`. */
export function parsePath(text: string): PathMatch | undefined {
  if (!text.includes(SEGMENT) && !text.includes(REST)) return { kind: 'text', text: parseStringMatch(text) };
  const segments = text.split('/');
  const known = segments.every((segment) => segment === SEGMENT || segment === REST || !/[{}*]/.test(segment));
  const rest = segments.indexOf(REST);
  if (!known || !text.startsWith('/') || segments.includes(REST, rest + 1)) return undefined;
  if (rest === -1) return { kind: 'template', head: pieces(segments) };
  return { kind: 'template', head: pieces([...segments.slice(0, rest), '']), tail: pieces(['', ...segments.slice(rest + 1)]) };
}

export function pathMatches(match: PathMatch, path: string): boolean {
  if (match.kind === 'text') return textMatches(match.text, path);
  const headEnd = read(match.head, path, 0);
  if (headEnd === NO_MATCH) return false;
  if (match.tail === undefined) return headEnd === path.length;
  const slashes = slashCount(match.tail);
  if (slashes === 0) return true;
  const start = lastSlashes(path, slashes);
  // No segment at all between head and tail: both name the same slash.
  return start >= headEnd - 1 && read(match.tail, path, start) === path.length;
}

/** Literals between segments, slashes included: `/a/{*}/b` is `/a/`, a segment, `/b`. */
function pieces(segments: readonly string[]): Pieces {
  const cut: (string | undefined)[] = [];
  let literal = '';
  for (const [index, segment] of segments.entries()) {
    if (index > 0) literal += '/';
    if (segment !== SEGMENT) {
      literal += segment;
      continue;
    }
    if (literal !== '') cut.push(literal);
    cut.push(undefined);
    literal = '';
  }
  if (literal !== '') cut.push(literal);
  return cut;
}

/** Where the pieces end in the path, or -1. */
function read(pieces: Pieces, path: string, start: number): number {
  let at = start;
  for (const piece of pieces) {
    if (piece === undefined) {
      const slash = path.indexOf('/', at);
      const end = slash === -1 ? path.length : slash;
      if (end === at) return NO_MATCH;
      at = end;
    } else {
      if (!path.startsWith(piece, at)) return NO_MATCH;
      at += piece.length;
    }
  }
  return at;
}

function slashCount(pieces: Pieces): number {
  let count = 0;
  for (const piece of pieces) if (piece !== undefined) count += piece.split('/').length - 1;
  return count;
}

/** Index of the slash that has `count - 1` slashes after it, or -1. */
function lastSlashes(path: string, count: number): number {
  let at = path.length;
  for (let left = count; left > 0; left -= 1) {
    if (at === 0) return NO_MATCH;
    at = path.lastIndexOf('/', at - 1);
    if (at === -1) return NO_MATCH;
  }
  return at;
}
