/** Rules by nft, which applies each script in one transaction. */
import type { Execute } from './execute.ts';
import { guardScript, installScript, noGuardScript, removeScript } from './nft-script.ts';
import { allTables, deviations, ruleLine, verdictOf } from './rule-backend.ts';
import type { RuleBackend } from './rule-backend.ts';
import type { Table } from './rule.ts';

const command = ['nft', '-f', '-'] as const;

export function nftBackend(execute: Execute): RuleBackend {
  return {
    name: 'nft',
    install: async ({ namespace }, redirection, meanwhile, signal) => {
      const script = installScript(redirection);
      const guard = meanwhile === 'closed' ? guardScript(redirection, 'drop') : noGuardScript();
      await execute(namespace, command, guard, signal);
      await execute(namespace, command, script, signal);
      await execute(namespace, command, guardScript(redirection, 'reject'), signal);
    },
    remove: async ({ namespace }, signal) => void (await execute(namespace, command, removeScript(), signal)),
    missing: async ({ namespace }, redirection, signal) => {
      // All of it: nft 1.0.6 finds none of several tables that are named one by one in a script.
      const listing = await execute(namespace, ['nft', 'list', 'ruleset', 'inet'], '', signal);
      const ours = allTables(redirection);
      const isOurs = (line: string): boolean => ours.some(({ name }) => line.startsWith(`${name} `));
      return deviations(linesOf(ours), listedLines(listing).filter(isOurs));
    },
  };
}

function linesOf(tables: readonly Table[]): readonly string[] {
  return tables.flatMap(({ name, chains }) =>
    chains.flatMap((chain) => chain.rules.map((rule) => ruleLine(`${name} ${chain.name}`, rule.row, verdictOf(rule)))),
  );
}

/** The rules of a listing of nft, each by its comment; those of others have none of ours and count all the same. */
export function listedLines(listing: string): readonly string[] {
  const lines: string[] = [];
  let table = '';
  let chain = '';
  for (const line of listing.split('\n').map((text) => text.trim())) {
    const [, kind, name = ''] = /^(table inet|chain) (\S+) \{$/.exec(line) ?? [];
    if (kind === 'chain') chain = name;
    else if (kind !== undefined) table = name;
    else if (line !== '' && line !== '}' && !line.startsWith('type '))
      lines.push(ruleLine(`${table} ${chain}`, ...rowAndVerdict(line)));
  }
  return lines;
}

function rowAndVerdict(line: string): [row: string, verdict: string] {
  const [, body = line, row = line] = /^(.*) comment "(.*)"$/.exec(line) ?? [];
  const [, word = '', port] = /\b(accept|return|drop|reject|redirect)(?: to :(\d+)| with tcp reset)?$/.exec(body) ?? [];
  return [row, port ?? word];
}
