/** Matches as manifests write them, to matches as a waypoint compares them. */
import type { HttpMatch, NamedMatch } from '@clearmesh/shared/model/l7/route';
import type { GrpcMatchManifest, GrpcMethodMatchManifest } from '../../manifest/grpc-route.ts';
import type { HttpMatchManifest, NamedMatchManifest } from '../../manifest/http-match.ts';

export function deriveHttpMatch(match: HttpMatchManifest): HttpMatch {
  const { path, method, headers = [], queryParams = [] } = match;
  return {
    ...(path === undefined ? {} : { path: { type: path.type ?? 'PathPrefix', value: path.value ?? '/' } }),
    ...(method === undefined ? {} : { method }),
    headers: headers.map(headerMatch),
    query: queryParams.map(({ type = 'Exact', name, value }) => ({ type, name, value })),
  };
}

/** gRPC is a POST to `/service/method` (gRPC over HTTP/2). */
export function deriveGrpcMatch({ method, headers = [] }: GrpcMatchManifest): HttpMatch {
  return {
    ...(method === undefined ? {} : { path: grpcPath(method) }),
    method: 'POST',
    headers: headers.map(headerMatch),
    query: [],
  };
}

function grpcPath({ type = 'Exact', service, method }: GrpcMethodMatchManifest): NonNullable<HttpMatch['path']> {
  if (type === 'Exact' && service !== undefined) {
    return method === undefined
      ? { type: 'PathPrefix', value: `/${service}` }
      : { type: 'Exact', value: `/${service}/${method}` };
  }
  // A part that is not named is any one segment.
  const part = (text: string | undefined): string => {
    if (text === undefined) return '[^/]+';
    return type === 'Exact' ? text.replaceAll('.', '\\.') : `(?:${text})`;
  };
  return { type: 'RegularExpression', value: `/${part(service)}/${part(method)}` };
}

function headerMatch({ type = 'Exact', name, value }: NamedMatchManifest): NamedMatch {
  return { type, name: name.toLowerCase(), value };
}
