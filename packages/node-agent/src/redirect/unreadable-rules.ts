/** Rules that an earlier agent made with a program that does not work here: nobody can take them away, but they may be visible. */
import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Execute } from './execute.ts';
import type { ExactProgram, FormerPrograms } from './former-program.ts';

export type UnreadableRulesDeps = { readonly execute: Execute; readonly logger: Logger };

/** Looks at a namespace, and says once for each program that it has such rules. Rejects only when aborted. */
export function unreadableRules(
  { usable, unusable }: FormerPrograms,
  { execute, logger }: UnreadableRulesDeps,
): (namespace: NetworkNamespace, signal: AbortSignal) => Promise<void> {
  const unsaid = new Set<ExactProgram>(unusable);
  const hasNft = usable.some(({ program }) => program === 'nft');
  const say = (program: ExactProgram, namespace: NetworkNamespace): void => {
    unsaid.delete(program);
    const hint = 'Restart pods that an earlier agent has captured by it, or make it work on the node.';
    logger.warn('rules of a program that does not work here may be left in pods', {
      program,
      netns: String(namespace.inode),
      hint,
    });
  };
  return async (namespace, signal) => {
    if (unsaid.has('iptables-legacy') && hasLegacyTables(namespace)) say('iptables-legacy', namespace);
    if (!unsaid.has('iptables-nft') || !hasNft) return;
    const chains = await execute(namespace, ['nft', 'list', 'chains'], '', signal, { forgive: () => true });
    if (/chain (ISTIO|CLEARMESH)_/.test(chains)) say('iptables-nft', namespace);
  };
}

/** As the kernel says without the program. */
function hasLegacyTables(namespace: NetworkNamespace): boolean {
  return namespace.run(() => {
    try {
      return readFileSync('/proc/thread-self/net/ip_tables_names', 'latin1').trim() !== '';
    } catch {
      return false;
    }
  });
}
