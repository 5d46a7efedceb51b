/**
 * `npm run golden [-- --verbose]`: what is served, and what is reported, beside what a real istiod served and reported.
 * Exits with 1 when something differs that nobody declared.
 */
import { servedDeviations, shippedServedDeviations, statusDeviations } from './deliberate.ts';
import { deviationsOf, servedVerdict, statusVerdict } from './verdict.ts';
import { scenarios, scenariosWithStatus, shipped, upstream } from './scenario.ts';
import type { Verdict } from './verdict.ts';

type Row = { readonly scenario: string; readonly upstream: Verdict; readonly shipped: Verdict };

const verbose = process.argv.includes('--verbose');
const served = scenarios.map((scenario) => ({
  scenario,
  upstream: tried(() => servedVerdict(scenario, upstream, deviationsOf(scenario, servedDeviations))),
  shipped: tried(() => servedVerdict(scenario, shipped, deviationsOf(scenario, [...servedDeviations, ...shippedServedDeviations]))),
}));
const reported = scenariosWithStatus.map((scenario) => ({
  scenario,
  upstream: tried(() => statusVerdict(scenario, upstream, deviationsOf(scenario, statusDeviations))),
  shipped: tried(() => statusVerdict(scenario, shipped, deviationsOf(scenario, statusDeviations))),
}));

print('Served to node proxies: with upstream’s answer to each question that is decided differently, and as shipped', served);
print('Reported in statuses', reported);
const differs = [...served, ...reported].some((row) => row.upstream.kind === 'differs' || row.shipped.kind === 'differs');
process.exitCode = differs ? 1 : 0;

function tried(look: () => Verdict): Verdict {
  try {
    return look();
  } catch (error) {
    return { kind: 'differs', reasons: [], faults: [error instanceof Error ? error.message : String(error)] };
  }
}

function print(title: string, rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ scenario }) => scenario.length));
  const line = (name: string, ...cells: readonly string[]): string => [name.padEnd(width), ...cells].join('  ').trimEnd();
  const shown = (verdict: Verdict): string => verdict.kind.padEnd(9);
  const out = [title, line('scenario', 'upstream ', 'shipped  ', 'reason')];
  for (const row of rows) {
    out.push(line(row.scenario, shown(row.upstream), shown(row.shipped), row.shipped.reasons.join('; ')));
    const faults = [...row.upstream.faults, ...row.shipped.faults];
    for (const fault of verbose ? faults : faults.slice(0, 2)) out.push(`    ${verbose ? fault : fault.slice(0, 200)}`);
  }
  for (const column of ['upstream', 'shipped'] as const) {
    const count = (kind: Verdict['kind']): number => rows.filter((row) => row[column].kind === kind).length;
    out.push(`${column}: ${count('equal')} equal, ${count('by design')} by design, ${count('differs')} differ, of ${rows.length}`);
  }
  process.stdout.write(`${out.join('\n')}\n\n`);
}
