/**
 * The document a policy is asked about. Its shape is that of the OPA-Envoy plugin for `ext_authz` v3 (l7-and-resilience
 * B11), so that policies written for it run unchanged; `attributes.mesh` is ours. Pure.
 *
 * O1  Fields without a value are absent, as protojson leaves them out.
 * O2  The body is handed on as the caller wrote it, not as JavaScript reads it: a number too large or too exact for a
 *     double would otherwise reach the policy as another number.
 */
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { identityParts } from '@clearmesh/shared/identity/spiffe';
import { headerOf } from '../exchange/request-facts.ts';
import type { RequestFacts, RequestHeaders } from '../exchange/request-facts.ts';
import { parseBody } from './opa-body.ts';
import type { AskedBody } from './opa-body.ts';
import { parsePathSegments, parseQuery } from './opa-path.ts';
import type { TokenFacts } from './token-facts.ts';

export type OpaQuestion = {
  readonly request: RequestFacts;
  readonly token: TokenFacts | undefined;
  /** Absent where the policy does not read it. */
  readonly body?: AskedBody;
  readonly contextExtensions: Readonly<Record<string, string>>;
  /** Namespace of the waypoint. */
  readonly domain: string;
  readonly cluster?: string;
  /** What is left of the caller's deadline, milliseconds. */
  readonly deadlineMs?: number;
};

export type OpaInput = {
  readonly kind: 'input';
  /** All but the body. */
  readonly document: Readonly<Record<string, unknown>>;
  /** JSON text of the whole document. */
  readonly text: () => string;
};
export type UnreadableInput = { readonly kind: 'unreadable'; readonly reason: string };

/** What the plugin refuses (a path, a query or a body that is none) is refused here too. */
export function opaInput(question: OpaQuestion): OpaInput | UnreadableInput {
  const { request, body } = question;
  const path = parsePathSegments(request.path);
  const query = parseQuery(request.query);
  if (path === undefined) return { kind: 'unreadable', reason: 'the path is not escaped as RFC 3986 asks' };
  if (query === undefined) return { kind: 'unreadable', reason: 'the query is no form data' };
  const parsed = body === undefined ? { kind: 'parsed' as const, json: 'null' } : parseBody(request.headers, body);
  if (parsed.kind === 'unreadable') return parsed;
  const document = {
    attributes: attributes(question),
    parsed_path: path,
    parsed_query: query,
    truncated_body: body?.truncated ?? false,
    source_principal: request.caller.identity,
    version: { encoding: 'protojson', ext_authz: 'v3' },
  };
  const text = (): string => `${JSON.stringify(document).slice(0, -1)},"parsed_body":${parsed.json}}`;
  return { kind: 'input', document, text };
}

function attributes(question: OpaQuestion): Readonly<Record<string, unknown>> {
  const { request, token, contextExtensions } = question;
  const { caller, called } = request;
  const claims = token === undefined ? {} : { filterMetadata: { [JWT_FILTER]: { verified_jwt: token.claims } } };
  return {
    source: { address: socketAddress(caller.address), principal: caller.identity },
    destination: { address: socketAddress(called.address), service: called.hostname },
    request: { time: new Date(request.receivedAtMs).toISOString(), http: http(question) },
    metadataContext: claims,
    ...(Object.keys(contextExtensions).length === 0 ? {} : { contextExtensions }),
    mesh: mesh(question),
  };
}

/** Where Envoy's policies find verified claims. */
const JWT_FILTER = 'envoy.filters.http.jwt_authn';

function http({ request, body }: OpaQuestion): Readonly<Record<string, unknown>> {
  const path = request.query === '' ? request.path : `${request.path}?${request.query}`;
  const size = sizeOf(request.headers);
  return {
    id: request.id,
    method: request.method,
    headers: headers(request, path, body),
    path,
    host: request.authority,
    scheme: 'http',
    protocol: request.protocol,
    ...(size === 0 ? {} : { size }),
    ...(body === undefined ? {} : bodyField(body)),
  };
}

function headers(request: RequestFacts, path: string, body: AskedBody | undefined): Readonly<Record<string, string>> {
  const named: Record<string, string> = {
    ':authority': request.authority,
    ':method': request.method,
    ':path': path,
    ':scheme': 'http',
  };
  for (const name in request.headers) {
    const value = request.headers[name];
    if (value === undefined || name.startsWith(':') || name === 'host') continue;
    named[name] = typeof value === 'string' ? value : value.join(',');
  }
  if (body !== undefined) named['x-envoy-auth-partial-body'] = String(body.truncated);
  return named;
}

/** Text where the bytes are text, as Envoy sends it; `rawBody` is protojson's base64. */
function bodyField({ bytes, text }: AskedBody): Readonly<Record<string, string>> {
  if (bytes.length === 0) return {};
  return text === undefined ? { rawBody: bytes.toString('base64') } : { body: text };
}

/** -1 where the caller does not tell. */
function sizeOf(headers: RequestHeaders): number {
  const length = headerOf(headers, 'content-length');
  if (length !== undefined && /^\d{1,15}$/.test(length)) return Number(length);
  return headers['transfer-encoding'] === undefined ? 0 : -1;
}

function socketAddress({ ip, port }: SocketAddress): Readonly<Record<string, unknown>> {
  return { socketAddress: port === 0 ? { address: ip } : { address: ip, portValue: port } };
}

/** What Envoy cannot know. */
function mesh({ request, token, domain, cluster, deadlineMs }: OpaQuestion): Readonly<Record<string, unknown>> {
  const { caller, called } = request;
  const { trustDomain, namespace, serviceAccount } = identityParts(caller.identity);
  return {
    source: { spiffe_id: caller.identity, trust_domain: trustDomain, namespace, service_account: serviceAccount },
    destination: { service: called.hostname, namespace: called.namespace, port: called.port },
    domain,
    ...(cluster === undefined ? {} : { cluster }),
    ...(token === undefined ? {} : { request_principal: token.principal, claims: token.claims }),
    ...(deadlineMs === undefined ? {} : { deadline_ms: deadlineMs }),
    tls: {
      version: caller.tls.protocol,
      cipher: caller.tls.cipher,
      ...(caller.tls.group === undefined ? {} : { group: caller.tls.group }),
    },
  };
}
