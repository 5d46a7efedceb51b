/** Policies by what they are attached to, so that a service asks only for its own. */
import { objectName } from '../../manifest/collections.ts';
import { targetsOf } from '../../manifest/target-ref.ts';
import { isOfRevision } from '../labels.ts';
import { byAge } from './age.ts';
import type { GatewayManifest } from '../../manifest/gateway.ts';
import type { NamespacedMetadata } from '../../manifest/metadata.ts';
import type { StandInReach } from '../../manifest/policy-schema.ts';
import type { TargetRefManifest } from '../../manifest/target-ref.ts';
import type { DeriveOptions } from '../options.ts';
import type { Destination } from './destination.ts';

type Targeting = {
  readonly metadata: NamespacedMetadata;
  readonly spec?: { readonly targetRef?: TargetRefManifest; readonly targetRefs?: readonly TargetRefManifest[] };
  readonly standIn?: StandInReach;
};

export class TargetedPolicies<T extends Targeting> {
  readonly #byTarget = new Map<string, T[]>();

  /**
   * Policies of other revisions, and those without targets, are left out.
   * @param reach how far one of the root namespace may go
   */
  constructor(policies: readonly T[], options: DeriveOptions, reach: 'mesh' | 'namespace' = 'mesh') {
    const ours = policies.filter((policy) => isOfRevision(policy.metadata.labels, options.revision));
    for (const policy of ours.sort(byAge)) {
      for (const target of targetKeys(policy, options, reach)) {
        const list = this.#byTarget.get(target) ?? [];
        list.push(policy);
        this.#byTarget.set(target, list);
      }
    }
  }

  /** Most specific first: of the Service or ServiceEntry, of the Gateway, of the namespace, of the class; of one kind the oldest first. */
  of(service: Destination, gateway: GatewayManifest): readonly T[] {
    const keys = [
      `${service.kind} ${objectName(service.metadata)}`,
      `Gateway ${objectName(gateway.metadata)}`,
      `Namespace ${service.metadata.namespace}`,
      `GatewayClass ${gateway.spec.gatewayClassName}`,
      `Gateways of ${gateway.metadata.namespace}`,
      everything,
    ];
    return [...new Set(keys.flatMap((key) => this.#byTarget.get(key) ?? []))];
  }
}

/** What stands for a policy in the root namespace may stand for one of any service. */
const everything = 'everything';

function targetKeys(
  { metadata: { namespace }, spec, standIn }: Targeting,
  options: DeriveOptions,
  reach: 'mesh' | 'namespace',
): ReadonlySet<string> {
  if (standIn === 'namespace') {
    const all = reach === 'mesh' && namespace === options.rootNamespace;
    return new Set(all ? [everything] : [`Namespace ${namespace}`, `Gateways of ${namespace}`]);
  }
  return new Set(targetsOf(spec ?? {}).flatMap((target) => targetKey(target, namespace, options) ?? []));
}

/** `undefined` for a target that means nothing: a class named outside the root namespace, another namespace. */
function targetKey(target: TargetRefManifest, namespace: string, options: DeriveOptions): string | undefined {
  switch (target.kind) {
    case 'Service':
    case 'ServiceEntry':
    case 'Gateway':
      return `${target.kind} ${namespace}/${target.name}`;
    case 'Namespace':
      return target.name === namespace ? `Namespace ${namespace}` : undefined;
    case 'GatewayClass':
      return namespace === options.rootNamespace ? `GatewayClass ${target.name}` : undefined;
    default:
      return undefined;
  }
}
