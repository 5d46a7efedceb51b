/** Texts of a pattern. An author is told in words what is wrong; an API server is given the pattern. */
import { Type } from 'typebox';

/** Keyword for definitions of kinds (define/structural-schema.ts), which checks of shapes do not look at. */
export const serverPattern = 'serverPattern';

/** @param pattern in what JavaScript and RE2 have in common */
export function patterned(pattern: RegExp, meaning: string): Type.TUnsafe<string> {
  return refined(pattern, (text) => pattern.test(text), meaning);
}

/** Where the pattern says less than the check. */
export function refined(pattern: RegExp, check: (text: string) => boolean, meaning: string): Type.TUnsafe<string> {
  return Type.Unsafe<string>(Type.Refine(Type.String({ [serverPattern]: pattern.source }), check, () => meaning));
}
