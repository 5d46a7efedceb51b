/** The caller that a TokenReview names (authentication.k8s.io/v1), or why it names none. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Caller } from './caller.ts';

export type ReviewedCaller =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'refused'; readonly reason: string };

type ReviewStatus = {
  readonly authenticated?: boolean;
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
};

const texts = Type.Optional(Type.Array(Type.String()));
const schema = Type.Object({
  status: Type.Object({
    authenticated: Type.Optional(Type.Boolean()),
    error: Type.Optional(Type.String()),
    audiences: texts,
    user: Type.Optional(
      Type.Object({
        username: Type.Optional(Type.String()),
        groups: texts,
        extra: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
      }),
    ),
  }),
});

/** Both become parts of a SPIFFE path. */
const account = /^system:serviceaccount:([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?):([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)$/;
const extraPrefix = 'authentication.kubernetes.io';

/** @param audience that was asked for: a server that does not know audiences names none, and then anything would do */
export function reviewedCaller(review: unknown, audience: string): ReviewedCaller {
  if (!Value.Check(schema, review)) return refuse('the answer is no TokenReview');
  const { authenticated, error, audiences = [], user = {} } = (review as { readonly status: ReviewStatus }).status;
  if (authenticated !== true) return refuse(`the token is not valid${error === undefined ? '' : `: ${error.slice(0, 300)}`}`);
  if (!audiences.includes(audience)) return refuse(`the token is not for audience ${audience}`);
  if (user.groups?.includes('system:serviceaccounts') !== true) return refuse('the token is not of a service account');
  const [, namespace, serviceAccount] = account.exec(user.username ?? '') ?? [];
  if (namespace === undefined || serviceAccount === undefined) return refuse('the token’s user is no service account');
  const extra = (name: string): string | undefined => user.extra?.[`${extraPrefix}/${name}`]?.[0];
  const [pod, uid, node] = [extra('pod-name'), extra('pod-uid'), extra('node-name')];
  return {
    kind: 'caller',
    caller: {
      namespace,
      serviceAccount,
      ...(pod === undefined || uid === undefined ? {} : { pod: { name: pod, uid } }),
      ...(node === undefined ? {} : { node }),
    },
  };
}

function refuse(reason: string): ReviewedCaller {
  return { kind: 'refused', reason };
}
