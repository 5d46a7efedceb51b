/** Kinds as people type them: any case, singular or plural, or the usual short name. */
import { supportedKinds } from '@clearmesh/control-plane/manifest/kinds';

/** Of kubectl, and ours. */
const shortNames: Readonly<Record<string, string>> = {
  ns: 'Namespace',
  po: 'Pod',
  svc: 'Service',
  se: 'ServiceEntry',
  we: 'WorkloadEntry',
  sa: 'ServiceAccount',
  gtw: 'Gateway',
  ap: 'AuthorizationPolicy',
  pa: 'PeerAuthentication',
  ra: 'RequestAuthentication',
};

export const kindNames: readonly string[] = supportedKinds.map(({ kind }) => kind).sort();

/** The kind meant, or `undefined`; `all` is none. */
export function findKindName(text: string): string | undefined {
  const typed = text.toLowerCase();
  return shortNames[typed] ?? kindNames.find((kind) => kind.toLowerCase() === typed || pluralOf(kind) === typed);
}

function pluralOf(kind: string): string {
  const name = kind.toLowerCase();
  return /[^aeiou]y$/.test(name) ? `${name.slice(0, -1)}ies` : `${name}s`;
}
