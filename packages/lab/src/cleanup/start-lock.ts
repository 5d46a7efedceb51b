/** One lab starts, or cleans, at a time on a machine. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { withMachineLock } from '@clearmesh/shared/lifecycle/machine-lock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

const lockName = 'clearmesh-labs';

export type LockOptions = {
  /** @default 30000 */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
};

/** Runs the task while no other process does; waits for its turn. */
export function withStartLock<T>(options: LockOptions, deps: { readonly clock: Clock }, task: () => Promise<T>): Promise<T> {
  return withMachineLock({ name: lockName, timeoutMs: 30_000, busy, ...options }, deps, task);
}

function busy(): MeshError {
  return new MeshError('MESH-LAB-001', {
    message: `another lab has been starting for too long (abstract socket ${lockName})`,
    hint: `Find its process with: ss -xlp | grep ${lockName}`,
  });
}
