/**
 * The end of a PERMISSIVE mode (design decision 4: STRICT is the default, PERMISSIVE needs an expiry date).
 * A date counts to its last moment in UTC; a time counts to the millisecond.
 */
import type { PeerAuthenticationManifest } from './peer-authentication.ts';

/** Annotation on a PeerAuthentication: RFC 3339 date or date-time. */
export const permissiveUntilAnnotation = 'clearmesh.io/permissive-until';

const shape = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2}))?$/;
const dayMs = 86_400_000;

/** Milliseconds since the epoch from which the mode is over, or `undefined` for text that is no date. */
export function parsePermissiveUntil(text: string): number | undefined {
  if (!shape.test(text)) return undefined;
  const midnight = Date.parse(text.slice(0, 10));
  // 31 February must not read as 3 March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== text.slice(0, 10)) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) return undefined;
  return text.length === 10 ? midnight + dayMs : at;
}

/** True when the object opens plaintext anywhere: DISABLE is treated as PERMISSIVE. */
export function opensPlaintext(policy: PeerAuthenticationManifest): boolean {
  const { mtls, portLevelMtls = {} } = policy.spec ?? {};
  return [mtls, ...Object.values(portLevelMtls)].some((entry) => entry?.mode === 'PERMISSIVE' || entry?.mode === 'DISABLE');
}
