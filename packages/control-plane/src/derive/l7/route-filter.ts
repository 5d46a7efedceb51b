/** Filters of a rule or backend, as a waypoint carries them out. */
import type { HeaderChanges, PathChange, RouteFilter } from '@clearmesh/shared/model/l7/route';
import type {
  FilterManifest,
  HeaderFilterManifest,
  HeaderValueManifest,
  MirrorManifest,
  PathModifierManifest,
  RedirectManifest,
} from '../../manifest/route.ts';
import type { ResolvedBackend } from './backend.ts';
import type { BackendObjectManifest } from '../../manifest/route.ts';

/** Filters whose type is not known were refused before; a mirror without a backend mirrors nothing. */
export function deriveFilters(
  filters: readonly FilterManifest[] = [],
  resolve: (reference: BackendObjectManifest) => ResolvedBackend,
): readonly RouteFilter[] {
  return filters.flatMap((filter): readonly RouteFilter[] => {
    const { requestHeaderModifier, responseHeaderModifier, requestMirror, requestRedirect, urlRewrite } = filter;
    if (requestHeaderModifier !== undefined) return [{ kind: 'request-headers', ...headerChanges(requestHeaderModifier) }];
    if (responseHeaderModifier !== undefined) return [{ kind: 'response-headers', ...headerChanges(responseHeaderModifier) }];
    if (requestRedirect !== undefined) return [redirect(requestRedirect)];
    if (urlRewrite !== undefined) return [{ kind: 'rewrite', ...hostAndPath(urlRewrite) }];
    if (requestMirror === undefined) return [];
    const resolved = resolve(requestMirror.backendRef);
    return resolved.kind === 'service' ? [{ kind: 'mirror', backend: resolved.backend, percent: percentOf(requestMirror) }] : [];
  });
}

function headerChanges({ set = [], add = [], remove = [] }: HeaderFilterManifest): HeaderChanges {
  return { set: set.map(pair), add: add.map(pair), remove: remove.map((name) => name.toLowerCase()) };
}

/** Lower case, as HTTP/2 requires and names compare in any case (RFC 9110 section 5.1). */
function pair({ name, value }: HeaderValueManifest): readonly [string, string] {
  return [name.toLowerCase(), value];
}

function redirect({ scheme, port, statusCode, ...rest }: RedirectManifest): RouteFilter {
  return {
    kind: 'redirect',
    ...(scheme === undefined ? {} : { scheme }),
    ...hostAndPath(rest),
    ...(port === undefined ? {} : { port }),
    status: statusCode ?? 302,
  };
}

function hostAndPath({ hostname, path }: { readonly hostname?: string; readonly path?: PathModifierManifest }): {
  readonly hostname?: string;
  readonly path?: PathChange;
} {
  return { ...(hostname === undefined ? {} : { hostname }), ...(path === undefined ? {} : { path: pathChange(path) }) };
}

function pathChange({ type, replaceFullPath = '', replacePrefixMatch = '' }: PathModifierManifest): PathChange {
  return { type, value: type === 'ReplaceFullPath' ? replaceFullPath : replacePrefixMatch };
}

/** @default all of them (Gateway API) */
function percentOf({ percent, fraction }: MirrorManifest): number {
  if (percent !== undefined) return percent;
  return fraction === undefined ? 100 : (fraction.numerator / (fraction.denominator ?? 100)) * 100;
}
