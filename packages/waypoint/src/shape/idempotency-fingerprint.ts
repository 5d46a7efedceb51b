/** What tells one keyed request from another: the record it belongs to, and whether it is the same request again. */
import { createHash } from 'node:crypto';
import type { RequestFacts } from '../exchange/request-facts.ts';

/** What a record is kept under; a caller never meets another caller's keys. */
export type RecordScope = {
  /** SPIFFE id of the caller. */
  readonly principal: string;
  /** `namespace/hostname` of the service called. */
  readonly service: string;
  readonly method: string;
  /** The route's path template, or the path where there is none. */
  readonly route: string;
  readonly key: string;
};

/** `idem:{domain}:{hash}`: the parts are hashed, since keys and paths may hold account numbers. */
export function recordId(domain: string, { principal, service, method, route, key }: RecordScope): string {
  // NUL parts them: neither a header, a method, a path nor a SPIFFE id can hold one.
  const hash = createHash('sha256').update(`${principal}\0${service}\0${method}\0${route}\0${key}`).digest('hex');
  return `idem:${domain}:${hash}`;
}

/** SHA-256 over method, path, query and body, as hexadecimal. */
export function fingerprint(request: Pick<RequestFacts, 'method' | 'path' | 'query'>, body: Uint8Array): string {
  return createHash('sha256').update(`${request.method}\0${request.path}\0${request.query}\0`).update(body).digest('hex');
}
