/** Claims of a Kubernetes projected service account token, after its signature was verified. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Caller } from './caller.ts';

type Claims = {
  readonly sub: string;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly serviceaccount: { readonly name: string };
    readonly pod?: { readonly name: string; readonly uid: string };
    readonly node?: { readonly name: string };
  };
};

/** Names become parts of a SPIFFE path, so that nothing but RFC 1123 names may pass. */
const namespace = Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' });
const name = Type.String({ pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' });
const schema = Type.Object({
  sub: Type.String(),
  'kubernetes.io': Type.Object({
    namespace,
    serviceaccount: Type.Object({ name }),
    pod: Type.Optional(Type.Object({ name, uid: Type.String({ minLength: 1 }) })),
    node: Type.Optional(Type.Object({ name })),
  }),
});

export type ClaimedCaller =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly reason: string };

/** The caller, or why the claims name none. */
export function callerOf(payload: unknown): ClaimedCaller {
  const [wrong] = Value.Errors(schema, payload);
  if (wrong !== undefined) return { kind: 'refused', reason: `claim ${wrong.instancePath || '/'} ${wrong.message}` };
  const { sub, 'kubernetes.io': bound } = payload as Claims;
  const subject = `system:serviceaccount:${bound.namespace}:${bound.serviceaccount.name}`;
  if (sub !== subject) return { kind: 'refused', reason: 'claims sub and kubernetes.io name different accounts' };
  const caller = {
    namespace: bound.namespace,
    serviceAccount: bound.serviceaccount.name,
    ...(bound.pod === undefined ? {} : { pod: { name: bound.pod.name, uid: bound.pod.uid } }),
    ...(bound.node === undefined ? {} : { node: bound.node.name }),
  };
  return { kind: 'caller', caller };
}
