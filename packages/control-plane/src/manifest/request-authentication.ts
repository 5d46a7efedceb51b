import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { policyObject, selectorSchema, strict } from './policy-schema.ts';
import { targetRefSchema, targetRefsSchema } from './target-ref.ts';
import type { Kind } from './kind.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { SelectorManifest, StandInReach } from './policy-schema.ts';
import type { TargetRefManifest } from './target-ref.ts';

export type JwtRuleManifest = {
  readonly issuer: string;
  readonly audiences?: readonly string[];
  readonly jwksUri?: string;
  readonly jwks?: string;
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
  readonly fromParams?: readonly string[];
  readonly forwardOriginalToken?: boolean;
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders?: readonly { readonly header: string; readonly claim: string }[];
};

export type JwtPlacesManifest = Pick<
  JwtRuleManifest,
  'fromHeaders' | 'fromParams' | 'outputPayloadToHeader' | 'outputClaimToHeaders'
>;

export type RequestAuthenticationManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: {
    readonly selector?: SelectorManifest;
    readonly targetRef?: TargetRefManifest;
    readonly targetRefs?: readonly TargetRefManifest[];
    readonly jwtRules?: readonly JwtRuleManifest[];
  };
  /** It stands for one that cannot be read. */
  readonly standIn?: StandInReach;
  /** Of a stand-in, in place of its rules; `all`: nobody knows its tokens. */
  readonly unread?: 'all' | readonly JwtPlacesManifest[];
};

const word = Type.String({ minLength: 1 });
/** Where tokens are, and which headers are the rule's own. */
const placeFields = {
  fromHeaders: Type.Optional(Type.Array(Type.Object({ name: word, prefix: Type.Optional(Type.String()) }, strict))),
  fromParams: Type.Optional(Type.Array(word)),
  outputPayloadToHeader: Type.Optional(word),
  outputClaimToHeaders: Type.Optional(Type.Array(Type.Object({ header: word, claim: word }, strict))),
};
const jwtRule = Type.Object(
  {
    issuer: word,
    audiences: Type.Optional(Type.Array(word)),
    jwksUri: Type.Optional(word),
    jwks: Type.Optional(word),
    forwardOriginalToken: Type.Optional(Type.Boolean()),
    ...placeFields,
  },
  strict,
);

/** A rule of which no more can be read. Istio's `fromCookies` is none: it is another place. */
export const jwtPlacesSchema: Type.TUnsafe<JwtPlacesManifest> = Type.Unsafe<JwtPlacesManifest>(
  Type.Object(
    {
      ...Object.fromEntries(
        ['issuer', 'audiences', 'jwksUri', 'jwks', 'forwardOriginalToken', 'timeout', 'spaceDelimitedClaims'].map((field) => [
          field,
          Type.Optional(Type.Unknown()),
        ]),
      ),
      ...placeFields,
    },
    strict,
  ),
);

export const requestAuthenticationKind: Kind<RequestAuthenticationManifest> = defineKind(
  { kind: 'RequestAuthentication', apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'], scope: 'namespaced' },
  policyObject(
    Type.Optional(
      Type.Object(
        {
          selector: Type.Optional(selectorSchema),
          targetRef: Type.Optional(targetRefSchema),
          targetRefs: Type.Optional(targetRefsSchema),
          jwtRules: Type.Optional(Type.Array(jwtRule)),
        },
        strict,
      ),
    ),
  ),
);
