import { Type } from 'typebox';
import { defineKind } from './kind.ts';
import { policyObject, selectorSchema, strict } from './policy-schema.ts';
import { targetRefSchema, targetRefsSchema } from './target-ref.ts';
import type { Kind } from './kind.ts';
import type { SelectorManifest, StandInReach } from './policy-schema.ts';
import type { NamespacedMetadata } from './metadata.ts';
import type { TargetRefManifest } from './target-ref.ts';

export type SourceManifest = Readonly<Partial<Record<SourceField, readonly string[]>>>;
export type OperationManifest = Readonly<Partial<Record<OperationField, readonly string[]>>>;
export type ConditionManifest = {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
};

export type RuleManifest = {
  readonly from?: readonly { readonly source?: SourceManifest }[];
  readonly to?: readonly { readonly operation?: OperationManifest }[];
  readonly when?: readonly ConditionManifest[];
};

export type AuthorizationPolicyManifest = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: {
    readonly selector?: SelectorManifest;
    readonly targetRef?: TargetRefManifest;
    readonly targetRefs?: readonly TargetRefManifest[];
    readonly action?: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
    readonly rules?: readonly RuleManifest[];
  };
  /** Absent in what somebody wrote. */
  readonly standIn?: StandInReach;
};

export type SourceField =
  | 'principals'
  | 'notPrincipals'
  | 'requestPrincipals'
  | 'notRequestPrincipals'
  | 'namespaces'
  | 'notNamespaces'
  | 'ipBlocks'
  | 'notIpBlocks'
  | 'remoteIpBlocks'
  | 'notRemoteIpBlocks'
  | 'serviceAccounts'
  | 'notServiceAccounts'
  | 'trustDomains'
  | 'notTrustDomains';

export type OperationField = 'hosts' | 'notHosts' | 'ports' | 'notPorts' | 'methods' | 'notMethods' | 'paths' | 'notPaths';

const strings = Type.Optional(Type.Array(Type.String()));
const source = Type.Object(
  {
    principals: strings,
    notPrincipals: strings,
    requestPrincipals: strings,
    notRequestPrincipals: strings,
    namespaces: strings,
    notNamespaces: strings,
    ipBlocks: strings,
    notIpBlocks: strings,
    remoteIpBlocks: strings,
    notRemoteIpBlocks: strings,
    serviceAccounts: strings,
    notServiceAccounts: strings,
    trustDomains: strings,
    notTrustDomains: strings,
  },
  strict,
);

const operation = Type.Object(
  {
    hosts: strings,
    notHosts: strings,
    ports: strings,
    notPorts: strings,
    methods: strings,
    notMethods: strings,
    paths: strings,
    notPaths: strings,
  },
  strict,
);

const rule = Type.Object(
  {
    from: Type.Optional(Type.Array(Type.Object({ source: Type.Optional(source) }, strict))),
    to: Type.Optional(Type.Array(Type.Object({ operation: Type.Optional(operation) }, strict))),
    when: Type.Optional(Type.Array(Type.Object({ key: Type.String(), values: strings, notValues: strings }, strict))),
  },
  strict,
);

export const authorizationPolicyKind: Kind<AuthorizationPolicyManifest> = defineKind(
  { kind: 'AuthorizationPolicy', apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'], scope: 'namespaced' },
  policyObject(
    Type.Optional(
      Type.Object(
        {
          selector: Type.Optional(selectorSchema),
          targetRef: Type.Optional(targetRefSchema),
          targetRefs: Type.Optional(targetRefsSchema),
          action: Type.Optional(Type.Enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'])),
          provider: Type.Optional(Type.Object({ name: Type.String() }, strict)),
          rules: Type.Optional(Type.Array(rule)),
        },
        strict,
      ),
    ),
  ),
);
