import type { StringMatch } from '@clearmesh/shared/model/authorization';
import { stringMatches } from '@clearmesh/shared/policy/string-match';

/** A fact that is absent matches nothing, presence included. */
export function textMatches(match: StringMatch, text: string | undefined): boolean {
  return text !== undefined && stringMatches(match, text);
}
