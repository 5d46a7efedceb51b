/** What to do about the root's ConfigMap of one namespace. */

export type BundleFacts = {
  /** There, and not about to go. */
  readonly active: boolean;
  /** The ConfigMap as it is; `right` when it holds our root. */
  readonly bundle: 'missing' | 'right' | 'wrong';
  /** When it was mended lately, milliseconds of one clock, oldest first. */
  readonly mendedMs: readonly number[];
  readonly nowMs: number;
};

export type BundleStep =
  | { readonly kind: 'create' | 'mend' | 'leave' }
  /** Somebody else keeps writing it: to go on would only keep both of us busy, and change the root under proxies. */
  | { readonly kind: 'yield'; readonly untilMs: number };

/** Namespaces in which nobody runs workloads (control-plane-contract section 5). */
const excluded: ReadonlySet<string> = new Set(['kube-public', 'kube-node-lease', 'local-path-storage']);

/** So often within the window, and the next change is another writer's will. */
export const maxMends = 5;
export const mendWindowMs = 60_000;
/** Milliseconds for which the other writer has its way. */
const yieldMs = 600_000;

export function decideBundle(namespace: string, { active, bundle, mendedMs, nowMs }: BundleFacts): BundleStep {
  if (!active || excluded.has(namespace) || bundle === 'right') return { kind: 'leave' };
  if (bundle === 'missing') return { kind: 'create' };
  const lately = mendedMs.slice(-maxMends);
  const [first = 0] = lately;
  const last = lately.at(-1) ?? 0;
  const contested = lately.length === maxMends && last - first < mendWindowMs;
  return contested && nowMs - last < yieldMs ? { kind: 'yield', untilMs: last + yieldMs } : { kind: 'mend' };
}
