/**
 * What the control plane says of the objects it was given (control-plane-contract section 1.4): in a cluster as conditions
 * on the objects, for a directory as one file.
 *
 * In: collections, their model, what waypoints answered, what was refused. Out: {@link StatusReport}.
 * R1  Pure and in a fixed order, so that equal states are equal files.
 * R2  A condition says what is enforced where, not merely that an object is well formed.
 */
import type { ObjectKey } from '@clearmesh/shared/model/l7/configuration';
import type { HostAddress } from '../manifest/service-entry.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

export type Condition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
};

export type GatewayStatusAddress = { readonly type: 'IPAddress' | 'Hostname'; readonly value: string };

/** Parts that do not concern an object are absent. */
export type ObjectStatus = {
  readonly conditions?: readonly Condition[];
  /** Of a Gateway: where it is; of a ServiceEntry: those that its hosts were given automatically. */
  readonly addresses?: readonly (GatewayStatusAddress | HostAddress)[];
  /** Of a Gateway. */
  readonly listeners?: readonly ListenerStatus[];
  /** Of a route. */
  readonly parents?: readonly ParentStatus[];
  /** Of a policy: the services in which it is in force, as `namespace/hostname`. */
  readonly services?: readonly string[];
};

export type ListenerStatus = {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly conditions: readonly Condition[];
};

export type ParentStatus = {
  readonly parentRef: {
    readonly group: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly port?: number;
  };
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
};

export type StatusReport = {
  /** `none`: nothing was ever good; `last-good`: what is served is older than the manifests. */
  readonly serving: 'none' | 'current' | 'last-good';
  readonly objects: Readonly<Record<ObjectKey, ObjectStatus>>;
  /** Why the last reading of the manifests was refused. */
  readonly rejections: readonly Problem[];
};

export function condition(type: string, status: Condition['status'], reason: string, message: string): Condition {
  return { type, status, reason, message };
}
