/**
 * What a policy answered, as a verdict (l7-and-resilience B11). A boolean, or an object with `allowed`; nothing at all is
 * a denial; anything else is no decision, and a request without one does not pass. Pure.
 */
import { STATUS_CODES } from 'node:http';
import { isRecord } from './is-record.ts';

export type HeaderFields = Readonly<Record<string, string>>;

export type OpaDecision =
  | {
      readonly kind: 'allowed';
      /** For the service. */
      readonly headers: HeaderFields;
      readonly headersToRemove: readonly string[];
      readonly queryToRemove: readonly string[];
      readonly queryToSet: Readonly<Record<string, readonly string[]>>;
      /** For the caller. */
      readonly responseHeaders: HeaderFields;
      readonly metadata?: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'denied';
      /** Why there was no explicit denial. */
      readonly reason?: 'undefined decision';
      /** @default 403 */
      readonly status?: number;
      readonly headers: HeaderFields;
      readonly body?: string;
      readonly metadata?: Readonly<Record<string, unknown>>;
    };

export type OpaVerdict = OpaDecision | { readonly kind: 'unusable'; readonly reason: string };

const noFields: HeaderFields = {};
const allowed: OpaDecision = {
  kind: 'allowed',
  headers: noFields,
  headersToRemove: [],
  queryToRemove: [],
  queryToSet: {},
  responseHeaders: noFields,
};
const denied: OpaDecision = { kind: 'denied', headers: noFields };
const undefinedDecision: OpaDecision = { kind: 'denied', reason: 'undefined decision', headers: noFields };

/** `undefined` is a rule without a value for this input. */
export function readResult(result: unknown): OpaVerdict {
  if (result === true) return allowed;
  if (result === false) return denied;
  if (result === undefined) return undefinedDecision;
  if (!isRecord(result)) return unusable('the decision is neither a boolean nor an object');
  if (typeof result['allowed'] !== 'boolean') return unusable('the decision has no boolean "allowed"');
  try {
    return result['allowed'] ? readAllowed(result) : readDenied(result);
  } catch (thrown) {
    if (thrown instanceof Unusable) return unusable(thrown.message);
    throw thrown;
  }
}

/** Inside this file only: a field of the decision that means nothing. */
class Unusable extends Error {}

function readAllowed(result: Readonly<Record<string, unknown>>): OpaDecision {
  return {
    kind: 'allowed',
    headers: fieldsOf(result, 'headers'),
    headersToRemove: textsOf(result, 'request_headers_to_remove').map((name) => fieldName(name, 'request_headers_to_remove')),
    queryToRemove: textsOf(result, 'query_parameters_to_remove'),
    queryToSet: parametersOf(result),
    responseHeaders: fieldsOf(result, 'response_headers_to_add'),
    ...metadataOf(result),
  };
}

function readDenied(result: Readonly<Record<string, unknown>>): OpaDecision {
  const { http_status: status, body } = result;
  if (status !== undefined && !isFinalStatus(status)) throw new Unusable(`"http_status" is no status of an answer`);
  if (body !== undefined && typeof body !== 'string') throw new Unusable('"body" is no text');
  return {
    kind: 'denied',
    headers: fieldsOf(result, 'headers'),
    ...(status === undefined ? {} : { status }),
    ...(body === undefined ? {} : { body }),
    ...metadataOf(result),
  };
}

/** A known status that ends an exchange. */
function isFinalStatus(status: unknown): status is number {
  return typeof status === 'number' && status >= 200 && status <= 599 && STATUS_CODES[status] !== undefined;
}

/** An object, or a list of objects; several values of one name become one field (RFC 9110 section 5.3). */
function fieldsOf(result: Readonly<Record<string, unknown>>, key: string): HeaderFields {
  const given = result[key];
  if (given === undefined) return noFields;
  const fields: Record<string, string> = {};
  for (const object of Array.isArray(given) ? given : [given]) {
    if (!isRecord(object)) throw new Unusable(`"${key}" is no object`);
    for (const [name, value] of Object.entries(object)) {
      const field = fieldName(name, key);
      for (const text of Array.isArray(value) ? value : [value]) {
        const known = fields[field];
        fields[field] = known === undefined ? fieldValue(text, name, key) : `${known}, ${fieldValue(text, name, key)}`;
      }
    }
  }
  return fields;
}

/** What frames a message or says where it goes is not a policy's to change. */
const framing: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'proxy-connection',
]);

function fieldName(name: string, key: string): string {
  const lower = name.toLowerCase();
  if (!/^[\w!#$%&'*+.^`|~-]{1,256}$/.test(lower) || framing.has(lower)) {
    throw new Unusable(`"${key}" names a header that cannot be changed`);
  }
  return lower;
}

function fieldValue(value: unknown, name: string, key: string): string {
  if (typeof value !== 'string') throw new Unusable(`"${key}" has a value that is no text`);
  const text = Buffer.from(value, 'utf8').toString('latin1');
  // RFC 9110 section 5.5: what could end the field is an injection.
  if (!/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(text)) throw new Unusable(`"${key}" has a control character for ${name}`);
  return text;
}

function textsOf(result: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const given = result[key];
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw new Unusable(`"${key}" is no list`);
  return given.map((text: unknown) => {
    if (typeof text !== 'string') throw new Unusable(`"${key}" holds what is no text`);
    return text;
  });
}

function parametersOf(result: Readonly<Record<string, unknown>>): Readonly<Record<string, readonly string[]>> {
  const given = result['query_parameters_to_set'];
  if (given === undefined) return {};
  if (!isRecord(given)) throw new Unusable('"query_parameters_to_set" is no object');
  const set: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(given)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (!values.every((text) => typeof text === 'string')) throw new Unusable('"query_parameters_to_set" holds what is no text');
    set[name] = values;
  }
  return set;
}

function metadataOf(result: Readonly<Record<string, unknown>>): { readonly metadata?: Readonly<Record<string, unknown>> } {
  const given = result['dynamic_metadata'];
  if (given === undefined) return {};
  if (!isRecord(given)) throw new Unusable('"dynamic_metadata" is no object');
  return { metadata: given };
}

function unusable(reason: string): OpaVerdict {
  return { kind: 'unusable', reason };
}
