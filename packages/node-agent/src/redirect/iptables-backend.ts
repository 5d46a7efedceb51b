/** Rules by iptables and ip6tables: of the flavour that the machine takes for itself, or of the one named. */
import type { Command, Execute } from './execute.ts';
import { installText, leadsTo, removeText, shownLines } from './iptables-script.ts';
import { Reference } from './reference.ts';
import { deviations, redirects } from './rule-backend.ts';
import type { AddressFamily, RuleBackend, RuleTask } from './rule-backend.ts';

export type Flavour = 'iptables' | 'iptables-nft' | 'iptables-legacy';

/** The program of this flavour for a family. */
export function iptablesProgram(flavour: Flavour, family: AddressFamily): string {
  return family === 6 ? flavour.replace('iptables', 'ip6tables') : flavour;
}

/** The command that takes rules in its own words, and leaves all others as they are. */
export function iptablesRestore(flavour: Flavour, family: AddressFamily): Command {
  // -w: the agent of the node's services may hold the lock of the old flavour.
  return [`${iptablesProgram(flavour, family)}-restore`, '--noflush', '-w', '5'];
}

export function iptablesBackend(flavour: Flavour, execute: Execute): RuleBackend {
  const reference = new Reference(execute);
  const show = (family: AddressFamily): Command => [`${iptablesProgram(flavour, family)}-save`];
  const make = (family: AddressFamily): Command => iptablesRestore(flavour, family);
  const save = ({ namespace }: RuleTask, family: AddressFamily, signal: AbortSignal): Promise<string> =>
    execute(namespace, show(family), '', signal);
  const restore = async (task: RuleTask, family: AddressFamily, text: string, signal: AbortSignal): Promise<void> => {
    if (text !== '') await execute(task.namespace, make(family), text, signal);
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
    isThere: async (task, signal) => {
      const saved = await Promise.all(task.families.map((family) => save(task, family, signal)));
      return saved.some((text) => removeText(text) !== '');
    },
    inspect: async (task, redirection, signal) => {
      const lacking: string[] = [];
      let captures = true;
      for (const family of task.families) {
        const found = shownLines(await save(task, family, signal));
        const input = installText(redirection, family, 'closed', '');
        const text = { make: make(family), input, show: show(family) };
        const expected = shownLines(await reference.shown(text, signal));
        lacking.push(...deviations(expected, found).map((line) => `IPv${family}: ${line}`));
        captures &&= redirects(redirection).every(([chain, port]) => leadsTo(found, chain, port));
      }
      return { deviations: lacking, captures };
    },
  };
}
