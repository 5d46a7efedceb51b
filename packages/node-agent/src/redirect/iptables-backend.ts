/** Rules by iptables and ip6tables: of the flavour that the machine takes for itself, or of the one named. */
import type { Execute } from './execute.ts';
import { expectedLines, installText, removeText, savedLines } from './iptables-script.ts';
import { deviations } from './rule-backend.ts';
import type { AddressFamily, RuleBackend, RuleTask } from './rule-backend.ts';

export type Flavour = 'iptables' | 'iptables-nft' | 'iptables-legacy';

export function iptablesBackend(flavour: Flavour, execute: Execute): RuleBackend {
  const programOf = (family: AddressFamily): string => (family === 6 ? flavour.replace('iptables', 'ip6tables') : flavour);
  const save = ({ namespace }: RuleTask, family: AddressFamily, signal: AbortSignal): Promise<string> =>
    execute(namespace, [`${programOf(family)}-save`], '', signal);
  const restore = async (task: RuleTask, family: AddressFamily, text: string, signal: AbortSignal): Promise<void> => {
    // -w: the agent of the node's services may hold the lock of the old flavour.
    if (text !== '') await execute(task.namespace, [`${programOf(family)}-restore`, '--noflush', '-w', '5'], text, signal);
  };
  return {
    name: flavour,
    install: async (task, redirection, meanwhile, signal) => {
      for (const family of task.families) {
        const saved = await save(task, family, signal);
        await restore(task, family, installText(redirection, family, meanwhile, saved), signal);
      }
    },
    remove: async (task, signal) => {
      for (const family of task.families) await restore(task, family, removeText(await save(task, family, signal)), signal);
    },
    missing: async (task, redirection, signal) => {
      const found: string[] = [];
      for (const family of task.families) {
        const saved = savedLines(await save(task, family, signal), redirection);
        found.push(...deviations(expectedLines(redirection, family), saved).map((line) => `IPv${family}: ${line}`));
      }
      return found;
    },
  };
}
