/**
 * Rules that an earlier agent made with another program. They redirect as well as the new ones, and when a pod is released
 * nobody would take them away: its connections would go to ports where nobody listens.
 *
 * F1  in a pod that is captured they go once the new rules stand: at every moment one of the two redirects.
 * F2  a namespace is looked at until nothing is found, or what was found is gone, and not again until its release, which looks
 *     anew: no extra program runs at each verification.
 * F3  a look that fails is a failure of the whole operation, which is tried again. Programs that do not work on the node at all
 *     are not in the list.
 */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { AddressFamily, RuleBackend, RuleTask } from './rule-backend.ts';

export type FormerRules = { readonly backend: RuleBackend; readonly families: readonly AddressFamily[] };

/** `own`, which finds and replaces rules of the others too; `onLook` is told of each namespace that is looked at. */
export function replacingFormer(
  own: RuleBackend,
  others: readonly FormerRules[],
  onLook: (namespace: NetworkNamespace, signal: AbortSignal) => Promise<void> = async () => {},
): RuleBackend {
  /** What was found in a namespace and is not gone yet. */
  const known = new WeakMap<NetworkNamespace, readonly FormerRules[]>();
  const look = async ({ namespace }: RuleTask, signal: AbortSignal): Promise<readonly FormerRules[]> => {
    await onLook(namespace, signal);
    const isThere = await Promise.all(others.map(({ backend, families }) => backend.isThere({ namespace, families }, signal)));
    const found = others.filter((_, index) => isThere[index] === true);
    known.set(namespace, found);
    return found;
  };
  const foundIn = async (task: RuleTask, signal: AbortSignal): Promise<readonly FormerRules[]> =>
    known.get(task.namespace) ?? (await look(task, signal));
  const clear = async ({ namespace }: RuleTask, found: readonly FormerRules[], signal: AbortSignal): Promise<void> => {
    for (const { backend, families } of found) await backend.remove({ namespace, families }, signal);
    known.set(namespace, []);
  };
  return {
    name: own.name,
    install: async (task, redirection, meanwhile, signal) => {
      const found = await foundIn(task, signal);
      await own.install(task, redirection, meanwhile, signal);
      // F1.
      await clear(task, found, signal);
    },
    remove: async (task, signal) => {
      await own.remove(task, signal);
      await clear(task, await look(task, signal), signal);
    },
    isThere: async (task, signal) => (await foundIn(task, signal)).length > 0 || (await own.isThere(task, signal)),
    inspect: async (task, redirection, signal) => {
      const found = await foundIn(task, signal);
      const { deviations, captures } = await own.inspect(task, redirection, signal);
      if (found.length === 0) return { deviations, captures };
      const former = await Promise.all(
        found.flatMap(({ backend, families: all }) => {
          const families = all.filter((family) => task.families.includes(family));
          return families.length > 0 ? [backend.inspect({ ...task, families }, redirection, signal)] : [];
        }),
      );
      return {
        deviations: [...found.map(({ backend }) => `rules by ${backend.name} of an earlier agent`), ...deviations],
        captures: captures || former.some((inspection) => inspection.captures),
      };
    },
  };
}
