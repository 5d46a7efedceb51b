/**
 * The question of an API server whether an object may be stored (admission.k8s.io/v1), and its answer.
 *
 * In: an AdmissionReview, as it came. Out: {@link Verdict}.
 * V1  Pure: one object at a time, by the checks that its manifest in a directory would get.
 * V2  What is not ours to judge is allowed: kinds we do not read, Gateways and routes of other controllers.
 * V3  An object that is about to go is allowed, however wrong: otherwise nobody could take its finalizers away.
 */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { findKind } from '../manifest/kinds.ts';
import { readObject } from '../watch/cluster-object.ts';
import { pathText } from '@clearmesh/shared/document/field-path';
import { valueText } from '@clearmesh/shared/document/problem';
import type { Static } from 'typebox';
import type { ApiObject } from '../kubernetes/resource.ts';
import type { PeerAuthenticationRules } from '../watch/check-peer-authentication.ts';
import type { Finding } from '@clearmesh/shared/document/finding';

export type Verdict =
  | { readonly kind: 'allowed' | 'refused'; readonly answer: object }
  /** No AdmissionReview of version v1. */
  | { readonly kind: 'malformed' };

const requestSchema = Type.Object({
  apiVersion: Type.Literal('admission.k8s.io/v1'),
  kind: Type.Literal('AdmissionReview'),
  request: Type.Object({
    uid: Type.String({ minLength: 1 }),
    operation: Type.String(),
    namespace: Type.Optional(Type.String()),
    subResource: Type.Optional(Type.String()),
    object: Type.Optional(Type.Unknown()),
  }),
});

type Request = Static<typeof requestSchema>['request'];

type Submitted = ApiObject & {
  readonly metadata: { readonly generateName?: string; readonly deletionTimestamp?: string };
};

/** Findings that are spelt out; the rest is counted. */
const maxTold = 5;

export function review(question: unknown, rules: PeerAuthenticationRules): Verdict {
  if (!Value.Check(requestSchema, question)) return { kind: 'malformed' };
  const { request } = question;
  const findings = findingsOf(request, rules);
  const allowed = findings.length === 0;
  const refusal = { code: 422, reason: 'Invalid', message: told(findings) };
  const response = { uid: request.uid, allowed, ...(allowed ? {} : { status: refusal }) };
  const answer = { apiVersion: question.apiVersion, kind: question.kind, response };
  return { kind: allowed ? 'allowed' : 'refused', answer };
}

function findingsOf(
  { operation, subResource = '', namespace = '', object }: Request,
  rules: PeerAuthenticationRules,
): readonly Finding[] {
  const stores = (operation === 'CREATE' || operation === 'UPDATE') && subResource === '';
  if (!stores || !isObject(object)) return [];
  const kind = findKind(object.apiVersion, object.kind);
  if (kind === undefined || object.metadata.deletionTimestamp !== undefined) return [];
  const reading = readObject(whole(object, namespace), kind, rules);
  return reading.kind === 'wrong' ? reading.findings : [];
}

function isObject(value: unknown): value is Submitted {
  return Value.Check(Type.Object({ apiVersion: Type.String(), kind: Type.String(), metadata: Type.Object({}) }), value);
}

/** The server gives a name to what comes without one, after it asked. */
function whole(object: Submitted, namespace: string): ApiObject {
  const { name, generateName = '' } = object.metadata as Partial<Submitted['metadata']>;
  return {
    ...object,
    metadata: { ...(namespace === '' ? {} : { namespace }), ...object.metadata, name: name ?? `${generateName}x` },
  };
}

function told(findings: readonly Finding[]): string {
  const lines = findings.slice(0, maxTold).map(({ path, value, message, remedy }) => {
    const found = value === undefined ? '' : ` (found ${valueText(value)})`;
    return `${pathText(path)} ${message}${found}. ${remedy}`.trim();
  });
  const more = findings.length - lines.length;
  return [...lines, ...(more === 0 ? [] : [`And ${more} more.`])].join(' ');
}
