import type { Snapshot, SnapshotChange, SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';

/** Word of each new snapshot, and of each new configuration as if it were one. */
export class News implements SnapshotSource {
  readonly #snapshots: SnapshotSource;
  readonly #listeners = new Set<(snapshot: Snapshot, change: SnapshotChange) => void>();

  constructor(snapshots: SnapshotSource) {
    this.#snapshots = snapshots;
  }

  get current(): Snapshot {
    return this.#snapshots.current;
  }

  onChange(listener: (snapshot: Snapshot, change: SnapshotChange) => void): () => void {
    const forget = this.#snapshots.onChange(listener);
    this.#listeners.add(listener);
    return () => {
      forget();
      this.#listeners.delete(listener);
    };
  }

  recvConfiguration(): void {
    const unchanged = { workloadsRemoved: [], workloadsChanged: [], workloadsReplaced: [], policiesChanged: false };
    for (const listener of this.#listeners) listener(this.current, unchanged);
  }
}
