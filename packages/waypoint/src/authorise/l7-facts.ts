/** What a layer-7 policy looks at: the request as the service would see it, and what its token proves. */
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { TokenFacts } from './token-facts.ts';

export type L7Facts = {
  readonly request: RequestFacts;
  /** Authority in lower case, without port and trailing dot. */
  readonly host: string;
  /** Absent where no token was presented, or none is asked for. */
  readonly token: TokenFacts | undefined;
};

export function l7Facts(request: RequestFacts, token: TokenFacts | undefined): L7Facts {
  return { request, token, host: hostOf(request.authority) };
}

/** RFC 3986 section 3.2.2: hosts are case-insensitive; the trailing dot names the same host. */
export function hostOf(authority: string): string {
  const end = authority.endsWith(']') ? -1 : authority.lastIndexOf(':');
  const host = end === -1 ? authority : authority.slice(0, end);
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase();
}
