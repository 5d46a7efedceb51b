/** Rules by nft, which applies each script in one transaction. */
import type { Execute } from './execute.ts';
import { GUARD_TABLE } from './guard-rules.ts';
import { guardScript, installScript, noGuardScript, removeScript } from './nft-script.ts';
import { TABLE_NAMES } from './pod-rules.ts';
import { Reference } from './reference.ts';
import { deviations, redirects } from './rule-backend.ts';
import type { RuleBackend } from './rule-backend.ts';

const make = ['nft', '-f', '-'] as const;
// All of it: nft 1.0.6 finds none of several tables that are named one by one in a script.
const show = ['nft', 'list', 'ruleset', 'inet'] as const;

export function nftBackend(execute: Execute): RuleBackend {
  const reference = new Reference(execute);
  return {
    name: 'nft',
    install: async ({ namespace }, redirection, meanwhile, signal) => {
      const script = installScript(redirection);
      const guard = meanwhile === 'closed' ? guardScript(redirection, 'drop') : noGuardScript();
      await execute(namespace, make, guard, signal);
      await execute(namespace, make, script, signal);
      await execute(namespace, make, guardScript(redirection, 'reject'), signal);
    },
    remove: async ({ namespace }, signal) => void (await execute(namespace, make, removeScript(), signal)),
    isThere: async ({ namespace }, signal) => {
      const tables = (await execute(namespace, ['nft', 'list', 'tables', 'inet'], '', signal)).split('\n');
      return [...TABLE_NAMES, GUARD_TABLE].some((name) => tables.includes(`table inet ${name}`));
    },
    inspect: async ({ namespace }, redirection, signal) => {
      const found = shownLines(await execute(namespace, show, '', signal));
      const input = `${installScript(redirection)}${guardScript(redirection, 'reject')}`;
      const expected = shownLines(await reference.shown({ make, input, show }, signal));
      const leadsTo = ([chain, port]: readonly [string, number]): boolean =>
        found.some((line) => line.startsWith(`istio-ambient-nat ${chain}: `) && line.includes(`redirect to :${port}`));
      return { deviations: deviations(expected, found), captures: redirects(redirection).every(leadsTo) };
    },
  };
}

/** All that a listing shows in our tables, rules of others too, each line with its place; tables in the order of their names here. */
export function shownLines(listing: string): readonly string[] {
  const lines = new Map<string, string[]>([...TABLE_NAMES, GUARD_TABLE].map((name) => [name, []]));
  let table = '';
  let chain = '';
  for (const line of listing.split('\n').map((text) => text.trim())) {
    const [, kind, name = ''] = /^(table inet|chain) (\S+) \{$/.exec(line) ?? [];
    if (kind === 'chain') chain = name;
    else if (kind !== undefined) [table, chain] = [name, ''];
    else if (line !== '' && line !== '}') lines.get(table)?.push(`${table} ${chain}: ${line}`);
  }
  return [...lines.values()].flat();
}
