/** Hosts of requests, and the hostnames that routes are limited to. */

/** The host of an authority in lower case, without port and without a final dot; brackets of IPv6 stay. */
export function hostOf(authority: string): string {
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.indexOf(':');
  const host = end > 0 ? authority.slice(0, end) : authority;
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase();
}

/** `*.suffix` stands for one label or more before the suffix, never for none (Gateway API). */
export function hostMatches(hostname: string, host: string): boolean {
  return hostname.startsWith('*.') ? host.length >= hostname.length && host.endsWith(hostname.slice(1)) : host === hostname;
}

/** The more specific first: longer exact names, longer wildcards, then every host (Gateway API). */
export function compareHostnames(a: string | undefined, b: string | undefined): number {
  return rank(b) - rank(a);
}

/** DNS names have at most 253 characters. */
function rank(hostname: string | undefined): number {
  if (hostname === undefined) return 0;
  return hostname.startsWith('*.') ? hostname.length : hostname.length + 1000;
}
