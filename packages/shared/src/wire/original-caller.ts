/**
 * The `x-clearmesh-caller` header of a CONNECT: on whose behalf a waypoint asks (design decision 3). It is a claim;
 * who may make it is for policy to say, and no proxy but a waypoint ever sends it.
 */
import { parseSpiffeId } from '../identity/spiffe.ts';
import type { SpiffeId } from '../identity/spiffe.ts';

/** The name on the wire; the value is one SPIFFE id and nothing else. */
export const originalCallerHeader = 'x-clearmesh-caller';

/** `undefined` for anything but one SPIFFE id; so for a header that came twice, whose values are joined by a comma. */
export function parseOriginalCaller(text: string): SpiffeId | undefined {
  return parseSpiffeId(text);
}
