/**
 * The redirection as text for `iptables-restore --noflush` and its twin for IPv6: chains of our own, each with a jump from the
 * chain of the kernel's. The text depends on what is there already (`iptables-save`), so that it installs, updates and repairs
 * alike. Each table is one transaction. Pure.
 *
 * I1  rows, their order and their meaning are those of the nft rules: both are made from the same data.
 * I2  a jump stands first in the kernel's chain: rules of others come after ours.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { GUARD_TABLE, guardTable } from './guard-rules.ts';
import { refuseForeignText } from './nft-script.ts';
import { MARK_MASK, podTables } from './pod-rules.ts';
import type { Redirection } from './redirection.ts';
import type { AddressFamily, Meanwhile } from './rule-backend.ts';
import type { Action, Chain, Match, Rule, Table } from './rule.ts';

type KernelTable = 'filter' | 'mangle' | 'raw' | 'nat';

/** A chain of ours: its table, the kernel's chain it hangs in, and its name. */
type Place = { readonly table: KernelTable; readonly hook: string; readonly chain: string };

const tableOf: Readonly<Record<string, KernelTable>> = {
  'istio-ambient-mangle': 'mangle',
  'istio-ambient-raw': 'raw',
  'istio-ambient-nat': 'nat',
  [GUARD_TABLE]: 'filter',
};

const hookOf = { prerouting: 'PREROUTING', input: 'INPUT', output: 'OUTPUT' } as const;
const chainOf = { prerouting: 'ISTIO_PRERT', input: 'CLEARMESH_IN', output: 'ISTIO_OUTPUT' } as const;
const guardChains = { prerouting: 'CLEARMESH_PRERT', input: 'CLEARMESH_IN', output: 'CLEARMESH_OUT' } as const;

/** Every chain that may be ours. */
const places: readonly Place[] = [
  ...(['mangle', 'raw', 'nat'] as const).flatMap((table): readonly Place[] => [
    { table, hook: 'PREROUTING', chain: chainOf.prerouting },
    { table, hook: 'OUTPUT', chain: chainOf.output },
  ]),
  { table: 'filter', hook: 'OUTPUT', chain: guardChains.output },
  { table: 'filter', hook: 'INPUT', chain: guardChains.input },
];

/** The text that captures, for one family, in one input: guard that drops, or none, redirection, guard that rejects. */
export function installText(redirection: Redirection, family: AddressFamily, meanwhile: Meanwhile, saved: string): string {
  refuseForeignText(redirection);
  const tables = podTables(redirection).map((table) =>
    table.chains.length > 0 ? tableText(table, family, saved) : removalText(kernelTable(table), saved),
  );
  const guard = guardTable(redirection, 'reject');
  // Its jumps are gone by then, or stand: then only its verdict changes.
  if (meanwhile === 'open') return `${removalText('filter', saved)}${tables.join('')}${tableText(guard, family, '')}`;
  const closed = tableText(guardTable(redirection, 'drop'), family, saved);
  return `${closed}${tables.join('')}${chainsText(guard, family, () => '')}`;
}

/** The text that takes everything of ours away, as far as it is there. */
export function removeText(saved: string): string {
  return (['nat', 'mangle', 'raw', 'filter'] as const).map((table) => removalText(table, saved)).join('');
}

/** What `iptables-save` shows of our chains, and of the jumps to them where they stand first (I2). */
export function shownLines(saved: string): readonly string[] {
  return places.flatMap((place) => {
    const lines = linesOf(saved, place.table);
    const first = lines.find((line) => line.startsWith(`-A ${place.hook} `));
    const shown = lines.filter((line) => line.startsWith(`-A ${place.chain} `));
    return [...(first === jumpOf(place) ? [first] : []), ...shown].map((line) => `${place.table}: ${line}`);
  });
}

/** Whether such lines redirect to this port, and are asked. */
export function leadsTo(lines: readonly string[], hook: 'prerouting' | 'output', port: number): boolean {
  const place: Place = { table: 'nat', hook: hookOf[hook], chain: chainOf[hook] };
  const isRedirect = (line: string): boolean => line.startsWith(`nat: -A ${place.chain} `) && line.includes(`--to-ports ${port}`);
  return lines.includes(`nat: ${jumpOf(place)}`) && lines.some(isRedirect);
}

function tableText(table: Table, family: AddressFamily, saved: string): string {
  return chainsText(table, family, (place) => {
    const again = linesOf(saved, place.table).filter((line) => line === jumpOf(place));
    const gone = again.map(() => `-D ${place.hook} -j ${place.chain}\n`).join('');
    return `${gone}-I ${place.hook} 1 -j ${place.chain}\n`;
  });
}

/** With --noflush a chain that is named again is emptied, and all others stay. */
function chainsText(table: Table, family: AddressFamily, jumpText: (place: Place) => string): string {
  const parts = table.chains.map((chain) => {
    const place = placeOf(table, chain);
    const rules = rulesOf(chain, family).map((rule) => `-A ${place.chain} ${ruleText(rule)}\n`);
    return { declared: `:${place.chain} - [0:0]\n`, body: `${jumpText(place)}${rules.join('')}` };
  });
  const text = [...parts.map(({ declared }) => declared), ...parts.map(({ body }) => body)].join('');
  return `*${kernelTable(table)}\n${text}COMMIT\n`;
}

function removalText(table: KernelTable, saved: string): string {
  const lines = linesOf(saved, table);
  const ours = places.filter((place) => place.table === table && lines.some((line) => line.startsWith(`:${place.chain} `)));
  if (ours.length === 0) return '';
  const emptied = ours.map(({ chain }) => `:${chain} - [0:0]\n`);
  const gone = ours.map((place) => {
    const jumps = lines.filter((line) => line === jumpOf(place)).map(() => `-D ${place.hook} -j ${place.chain}\n`);
    return `${jumps.join('')}-X ${place.chain}\n`;
  });
  return `*${table}\n${emptied.join('')}${gone.join('')}COMMIT\n`;
}

function kernelTable({ name }: Table): KernelTable {
  return tableOf[name] ?? 'filter';
}

function placeOf(table: Table, chain: Chain): Place {
  const names = table.name === GUARD_TABLE ? guardChains : chainOf;
  return { table: kernelTable(table), hook: hookOf[chain.name], chain: names[chain.name] };
}

function jumpOf({ hook, chain }: Place): string {
  return `-A ${hook} -j ${chain}`;
}

function rulesOf({ rules }: Chain, family: AddressFamily): readonly Rule[] {
  return rules.filter((rule) => rule.family === undefined || rule.family === family);
}

/** The lines of one table of `iptables-save`. */
function linesOf(saved: string, table: KernelTable): readonly string[] {
  const lines = saved.split('\n').map((line) => line.trim());
  const start = lines.indexOf(`*${table}`);
  return start < 0 ? [] : lines.slice(start + 1, lines.indexOf('COMMIT', start));
}

function ruleText({ row, matches, action }: Rule): string {
  const words = matches.map((match, index) => matchText(match, matches.slice(0, index)));
  const text = [...words, `-m comment --comment "${row}"`, actionText(action)].join(' ');
  return text.trim();
}

/** `before` are the matches that stand to the left: a second address has to be said in another way. */
function matchText(match: Match, before: readonly Match[]): string {
  const not = 'not' in match && match.not ? '! ' : '';
  switch (match.field) {
    case 'family':
      return '';
    case 'protocol':
      return '-p tcp';
    case 'source':
      return `${not}-s ${match.ip}`;
    case 'destination':
      return before.some(({ field }) => field === 'destination')
        ? `-m iprange ${not}--dst-range ${match.ip}-${match.ip}`
        : `${not}-d ${match.ip}`;
    case 'source-port':
      return `-p ${match.protocol} -m ${match.protocol} ${not}--sport ${match.port}`;
    case 'destination-port':
      return `-p ${match.protocol} -m ${match.protocol} ${not}--dport ${match.port}`;
    case 'destination-ports':
      return `-p tcp -m multiport ${not}--dports ${match.ports.join(',')}`;
    case 'packet-mark':
      return `-m mark ${not}--mark ${masked(match.mark)}`;
    case 'connection-mark':
      return `-m connmark ${not}--mark ${masked(match.mark)}`;
    case 'arrives-at':
      return `${not}-i ${match.device}`;
    case 'leaves-by':
      return `${not}-o ${match.device}`;
    case 'first-packet':
      return firstPacketText(before);
    default:
      return unreachable(match);
  }
}

/** A protocol is said once, and a second `-m tcp` would be a second set of ports. */
function firstPacketText(before: readonly Match[]): string {
  if (before.some(({ field }) => field === 'destination-port')) return '--syn';
  return `${before.some(({ field }) => field === 'destination-ports') ? '' : '-p tcp '}-m tcp --syn`;
}

function actionText(action: Action): string {
  switch (action.kind) {
    case 'accept':
    case 'return':
    case 'drop':
      return `-j ${action.kind.toUpperCase()}`;
    case 'reject':
      return '-j REJECT --reject-with tcp-reset';
    case 'redirect':
      return `-j REDIRECT --to-ports ${action.port}`;
    case 'mark-connection':
      return `-j CONNMARK --set-xmark ${masked(action.mark)}`;
    case 'restore-mark':
      return '-j CONNMARK --restore-mark';
    case 'connection-zone':
      return `-j CT --zone ${action.zone}`;
    default:
      return unreachable(action);
  }
}

function masked(mark: number): string {
  return `0x${mark.toString(16)}/0x${MARK_MASK.toString(16)}`;
}
