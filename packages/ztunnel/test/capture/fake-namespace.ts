import type { NamespaceHandle, PodSpec, RunningPod } from '../../src/capture/pods.ts';

/** A namespace that is only a number, and tells whether it was closed. */
export class FakeNamespace implements NamespaceHandle {
  readonly inode: bigint;
  readonly device = 4n;
  closed = false;

  constructor(inode: number) {
    this.inode = BigInt(inode);
  }

  [Symbol.dispose](): void {
    this.closed = true;
  }
}

/** A pod that records how it ended. */
export class FakePod implements RunningPod {
  state: 'up' | 'draining' | 'destroyed' = 'up';
  readonly cut: readonly string[];
  graceMs = -1;
  readonly #drained = Promise.withResolvers<{ readonly cut: readonly string[] }>();

  constructor(cut: readonly string[] = []) {
    this.cut = cut;
  }

  /** What it has open ends when a test says so. */
  drain(deadlineMs: number): Promise<{ readonly cut: readonly string[] }> {
    if (this.state === 'up') this.graceMs = deadlineMs;
    this.state = 'draining';
    return this.#drained.promise;
  }

  /** The last connection has ended, or the deadline has passed. */
  finish(): void {
    this.#drained.resolve({ cut: this.cut });
  }

  destroy(): void {
    this.state = 'destroyed';
    this.finish();
  }
}

/** A pod named after its uid. */
export function podSpec(uid: string, inode = 1): PodSpec<FakeNamespace> {
  return { uid, info: { name: uid, namespace: 'bank', serviceAccount: 'default' }, namespace: new FakeNamespace(inode) };
}
