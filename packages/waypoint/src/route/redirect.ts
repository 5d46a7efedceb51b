/** Where a caller is sent instead (Gateway API, HTTPRequestRedirectFilter). */
import type { RouteFilter } from '@clearmesh/shared/model/l7/route';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { hostOf } from './hostname.ts';
import type { CompiledPath, ReportProblem } from './match.ts';
import { changePath, compilePathChange } from './path-change.ts';
import type { CompiledPathChange } from './path-change.ts';

type RedirectFilter = Extract<RouteFilter, { kind: 'redirect' }>;

export type CompiledRedirect = Pick<RedirectFilter, 'status'> & {
  readonly scheme: 'http' | 'https' | undefined;
  readonly hostname: string | undefined;
  readonly port: number | undefined;
  readonly path: CompiledPathChange | undefined;
};

/** What may stand in a Location as a host; anything else that a caller puts into Host is not repeated to it. */
const plainHost = /^(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])$/;

const wellKnown = { http: 80, https: 443 } as const;

export function compileRedirect(filter: RedirectFilter, prefixes: boolean, report: ReportProblem): CompiledRedirect {
  const { scheme, port, path, status } = filter;
  const hostname = filter.hostname?.toLowerCase();
  if (hostname !== undefined && !plainHost.test(hostname))
    report(`redirect to hostname ${JSON.stringify(hostname.slice(0, 200))}, which is none`);
  return { status, scheme, hostname, port, path: path === undefined ? undefined : compilePathChange(path, prefixes, report) };
}

/**
 * The Location: always a whole URL, so that no path of a caller's is ever read as a host. Without a port of its own the
 * redirect has the scheme's where it names a scheme, else the service's; a scheme's own port is left out.
 */
export function locationOf(
  { scheme, hostname, port, path }: CompiledRedirect,
  request: Pick<RequestFacts, 'path' | 'query' | 'authority' | 'called'>,
  matched: CompiledPath | undefined,
): string {
  // Inside the tunnel HTTP is plain.
  const to = scheme ?? 'http';
  const toPort = port ?? (scheme === undefined ? request.called.port : wellKnown[scheme]);
  const toPath = path === undefined ? request.path : changePath(path, request.path, matched);
  const query = request.query === '' ? '' : `?${request.query}`;
  return `${to}://${hostname ?? requestHost(request)}${toPort === wellKnown[to] ? '' : `:${toPort}`}${toPath}${query}`;
}

function requestHost({ authority, called }: Pick<RequestFacts, 'authority' | 'called'>): string {
  const host = hostOf(authority);
  return plainHost.test(host) ? host : called.hostname;
}
