/**
 * Which identities pods of this node need, so that their certificates are there before their first connection, and go with the last
 * one (l4-contract section 4: prefetch and forget). An identity is held by workloads that the mesh names, and by pods that are
 * served: one that leaves the mesh is not named any more, and still speaks for itself until its last connection has ended.
 */
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SnapshotChange } from '@clearmesh/shared/snapshot/snapshot';

export type LocalIdentitiesDeps = {
  /** Called when the first local workload or pod has an identity. */
  readonly want: (identity: SpiffeId) => void;
  /** Called when the last local workload or pod with an identity is gone. */
  readonly forget: (identity: SpiffeId) => void;
};

export class LocalIdentities {
  readonly #node: string;
  readonly #deps: LocalIdentitiesDeps;
  readonly #byWorkload = new Map<WorkloadUid, SpiffeId>();
  readonly #holders = new Map<SpiffeId, number>();

  /** @param options.node the name of this node, as workloads carry it */
  constructor(options: { readonly node: string }, deps: LocalIdentitiesDeps) {
    this.#node = options.node;
    this.#deps = deps;
  }

  /** Follows a change of the mesh. A workload that changed its account wants the new one before the old is forgotten. */
  recvChange({ workloadsChanged, workloadsRemoved }: Pick<SnapshotChange, 'workloadsChanged' | 'workloadsRemoved'>): void {
    for (const workload of workloadsChanged) this.#assign(workload.uid, this.#needs(workload) ? spiffeId(workload) : undefined);
    for (const { uid } of workloadsRemoved) this.#assign(uid, undefined);
  }

  /** One more needs it, until it is released. */
  hold(identity: SpiffeId): void {
    const holders = this.#holders.get(identity) ?? 0;
    this.#holders.set(identity, holders + 1);
    if (holders === 0) this.#deps.want(identity);
  }

  release(identity: SpiffeId): void {
    const holders = (this.#holders.get(identity) ?? 1) - 1;
    if (holders > 0) return void this.#holders.set(identity, holders);
    this.#holders.delete(identity);
    this.#deps.forget(identity);
  }

  /** Who ends tunnels by itself, a waypoint, brings its own. */
  #needs({ node, tunnelProtocol, nativeTunnel }: Workload): boolean {
    return node === this.#node && tunnelProtocol === 'HBONE' && !nativeTunnel;
  }

  #assign(uid: WorkloadUid, identity: SpiffeId | undefined): void {
    const before = this.#byWorkload.get(uid);
    if (before === identity) return;
    if (identity === undefined) this.#byWorkload.delete(uid);
    else this.#byWorkload.set(uid, identity);
    if (identity !== undefined) this.hold(identity);
    if (before !== undefined) this.release(before);
  }
}
