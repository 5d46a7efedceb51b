/** What says rules in the tests of the node tier, and what a pod has of them. */
import { execFileSync } from 'node:child_process';
import type { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import type { Execute } from '../../src/redirect/execute.ts';
import { iptablesBackend } from '../../src/redirect/iptables-backend.ts';
import { nftBackend } from '../../src/redirect/nft-backend.ts';
import type { RuleBackend } from '../../src/redirect/rule-backend.ts';

export type BackendName = 'nft' | 'iptables-nft' | 'iptables-legacy';

export const backends: readonly { readonly name: BackendName; readonly backend: (execute: Execute) => RuleBackend }[] = [
  { name: 'nft', backend: nftBackend },
  { name: 'iptables-nft', backend: (execute) => iptablesBackend('iptables-nft', execute) },
  { name: 'iptables-legacy', backend: (execute) => iptablesBackend('iptables-legacy', execute) },
];

/** Everything of the capture in the namespace `pod`, as text to compare. */
export function stateOf(bed: NamespaceBed, backend: BackendName): string {
  const ip = (...args: string[]): string => bed.exec('pod', 'ip', ...args);
  const routes = [4, 6].map((family) => {
    const all = ip(`-${family}`, 'route', 'show', 'table', 'all').split('\n');
    return all.filter((line) => line.includes('table 100')).join('\n');
  });
  return [rulesOf(bed, backend), ip('-4', 'rule'), ip('-6', 'rule'), ...routes].join('\n');
}

/** Puts other rules in the place of a pod's, each table at once: what the program shows, changed. */
export function rewrite(bed: NamespaceBed, pod: string, backend: BackendName, change: (text: string) => string): void {
  const run = (input: string, ...command: [string, ...string[]]): void =>
    void execFileSync('ip', ['netns', 'exec', bed.nameOf(pod), ...command], { input });
  if (backend === 'nft') {
    const shown = bed.exec(pod, 'nft', 'list', 'ruleset', 'inet');
    run(`flush ruleset inet\n${change(shown)}`, 'nft', '-f', '-');
    return;
  }
  for (const program of [backend, backend.replace('iptables', 'ip6tables')])
    run(change(bed.exec(pod, `${program}-save`)), `${program}-restore`);
}

/** By iptables: rules and chains of ours alone, table by table; a program leaves an empty table where it has been. */
function rulesOf(bed: NamespaceBed, backend: BackendName): string {
  if (backend === 'nft') return bed.exec('pod', 'nft', 'list', 'ruleset');
  const saved = ['iptables', 'ip6tables'].map((program) => bed.exec('pod', `${backend.replace('iptables', program)}-save`));
  const tables = saved.flatMap((text) => text.split(/^\*/m)).map((table) => table.replaceAll(/ \[\d+:\d+\]/g, ''));
  const lines = tables.map((table) => table.match(/^(?:[a-z]+$|:(?:ISTIO|CLEARMESH)|-A).*/gm) ?? []);
  return lines
    .filter((table) => table.length > 1)
    .map((table) => table.join('\n'))
    .sort()
    .join('\n');
}
