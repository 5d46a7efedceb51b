/** What a soak found, for people. Pure. */
import { textTable } from '@clearmesh/shared/testing/text-table';
import type { Failure } from './excuse.ts';
import { countBy } from './soak.ts';
import type { Progress, Summary } from './soak.ts';

const shownFailures = 20;

/** Everything that must not be; empty: the soak passed. */
export function complaintsOf({ counts, failures, levels }: Summary): readonly string[] {
  const idle = ['http-fresh', 'http-kept', 'grpc', 'bulk', 'direct'].filter((load) => (counts[load] ?? 0) === 0);
  return [
    ...idle.map((load) => `${load}: nothing was ever answered`),
    ...failures.slice(0, shownFailures).map(formatFailure),
    ...(failures.length > shownFailures ? [`and ${failures.length - shownFailures} failures more`] : []),
    ...levels.filter(({ complaint }) => complaint !== '').map(({ name, complaint }) => `${name}: ${complaint}`),
  ];
}

function formatFailure({ load, wrong, atMs, reason }: Failure): string {
  return `${new Date(atMs).toISOString()} ${load}: ${wrong ? 'a wrong answer' : 'failed, and nothing explains it'}: ${reason}`;
}

export function formatProgress({ seconds, counts, failures, disturbances }: Progress): string {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return `${seconds} s: ${all} answers, ${disturbances} disturbances, ${failures} failures that nothing explains`;
}

export function formatSummary(summary: Summary): string {
  const { seed, counts, excused, failures, disturbances, certificates, levels } = summary;
  const open = countBy(failures);
  const loads = [...new Set([...Object.keys(counts), ...Object.keys(excused), ...Object.keys(open), 'idle', 'idle-direct'])];
  const kinds = new Map<string, number>();
  for (const { name } of disturbances) kinds.set(name, (kinds.get(name) ?? 0) + 1);
  const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(1)}`;
  const complaints = complaintsOf(summary);
  return [
    `seed ${seed}`,
    '',
    ...textTable([
      ['load', 'well', 'excused', 'failed'],
      ...loads.map((load) => [load, ...[counts, excused, open].map((of) => String(of[load] ?? 0))]),
    ]),
    '',
    ...textTable([['disturbance', 'times'], ...[...kinds, ['certificates issued', certificates]].map((row) => row.map(String))]),
    '',
    ...textTable([
      ['process', 'MiB before', 'after', 'a minute', 'files before', 'after', 'a minute', 'processes'],
      ...levels.map(({ name, before, after, mibPerMinute, descriptorsPerMinute, generations }) => [
        name,
        ...[before.residentMib, after.residentMib].map(String),
        signed(mibPerMinute),
        ...[before.descriptors, after.descriptors].map(String),
        signed(descriptorsPerMinute),
        String(generations),
      ]),
    ]),
    '',
    ...(complaints.length === 0 ? ['passed'] : ['failed:', ...complaints.map((complaint) => `  ${complaint}`)]),
    '',
  ].join('\n');
}
