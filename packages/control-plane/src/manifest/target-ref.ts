/** What a policy is attached to (Gateway API policy attachment). */
import { Type } from 'typebox';
import { strict } from './policy-schema.ts';

export type TargetRefManifest = {
  /** "" for core kinds. @default the group of the kind */
  readonly group?: string;
  readonly kind: string;
  readonly name: string;
  /** Targets stand in the policy's own namespace; one that names another is refused. */
  readonly namespace?: string;
};

export type TargetKind = 'Service' | 'ServiceEntry' | 'Gateway' | 'Namespace' | 'GatewayClass';

/** API groups of the kinds a policy may name. */
export const targetGroups: Readonly<Record<TargetKind, string>> = {
  Service: '',
  ServiceEntry: 'networking.istio.io',
  Namespace: '',
  Gateway: 'gateway.networking.k8s.io',
  GatewayClass: 'gateway.networking.k8s.io',
};

/** Targets one policy may have. */
export const maxTargets = 16;

const targetRef = Type.Object(
  {
    group: Type.Optional(Type.String()),
    kind: Type.String(),
    name: Type.String({ minLength: 1 }),
    namespace: Type.Optional(Type.String()),
  },
  strict,
);

export const targetRefSchema: Type.TUnsafe<TargetRefManifest> = Type.Unsafe<TargetRefManifest>(targetRef);
export const targetRefsSchema: Type.TUnsafe<readonly TargetRefManifest[]> = Type.Unsafe<readonly TargetRefManifest[]>(
  Type.Array(targetRef),
);

/** The targets of a policy, whichever of the two fields names them; none: the policy has other means, or none. */
export function targetsOf(spec: {
  readonly targetRef?: TargetRefManifest;
  readonly targetRefs?: readonly TargetRefManifest[];
}): readonly TargetRefManifest[] {
  return [...(spec.targetRef === undefined ? [] : [spec.targetRef]), ...(spec.targetRefs ?? [])];
}
