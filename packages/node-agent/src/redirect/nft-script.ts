/**
 * Redirection tables as text for `nft -f -`, which applies a whole script in one transaction: a pod is never half captured.
 * Each table is added, deleted and added again, so that the same script installs, updates and repairs. Pure.
 */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { GUARD_TABLE, guardTable } from './guard-rules.ts';
import type { GuardVerdict } from './guard-rules.ts';
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import { MARK_MASK, TABLE_NAMES, podTables } from './pod-rules.ts';
import { isInterfaceName } from './redirection.ts';
import type { Redirection } from './redirection.ts';
import type { Action, Chain, Match, Rule, Table } from './rule.ts';

/** The script that makes a pod's redirection exactly `redirection`; the guard stays as it is. */
export function installScript(redirection: Redirection): string {
  refuseForeignText(redirection);
  const tables = podTables(redirection).filter(({ chains }) => chains.length > 0);
  return `${removal(TABLE_NAMES)}${tables.map(tableText).join('')}`;
}

/** The script that makes a pod's guard that of `redirection`, with this verdict. */
export function guardScript(redirection: Redirection, verdict: GuardVerdict): string {
  refuseForeignText(redirection);
  return `${removal([GUARD_TABLE])}${tableText(guardTable(redirection, verdict))}`;
}

/** The script that removes the guard alone. */
export function noGuardScript(): string {
  return removal([GUARD_TABLE]);
}

/** The script that removes redirection and guard, also where there are none. */
export function removeScript(): string {
  return removal([...TABLE_NAMES, GUARD_TABLE]);
}

function removal(names: readonly string[]): string {
  return names.map((name) => `add table inet ${name}\ndelete table inet ${name}\n`).join('');
}

/** Settings end up inside rule text: what is not of the expected form must not reach nft. */
export function refuseForeignText(redirection: Redirection): void {
  const { virtualInterfaces = [], probeV4, probeV6 } = redirection;
  const badName = virtualInterfaces.find((name) => !isInterfaceName(name));
  const badProbe = [probeV4, probeV6].find((ip) => ip !== undefined && parseIp(ip) === undefined);
  const bad = badName ?? badProbe;
  if (bad === undefined) return;
  throw new MeshError('MESH-REDIRECT-001', {
    message: `redirection names ${JSON.stringify(bad)}, which is no ${badName === undefined ? 'IP address' : 'interface name'}`,
    hint: 'Correct the probe address or the reroute-virtual-interfaces annotation.',
  });
}

function tableText({ name, chains }: Table): string {
  return `table inet ${name} {\n${chains.map(chainText).join('')}}\n`;
}

function chainText({ name, type, priority, rules }: Chain): string {
  const hook = `    type ${type} hook ${name} priority ${priority}; policy accept;\n`;
  return `  chain ${name} {\n${hook}${rules.map(ruleText).join('')}  }\n`;
}

function ruleText({ family, row, matches, action }: Rule): string {
  const words = [...matches.map((match) => matchText(match, family)), actionText(action)];
  return `    ${words.join(' ')} comment "${row}"\n`;
}

function matchText(match: Match, family: 4 | 6 | undefined): string {
  const address = family === 6 ? 'ip6' : 'ip';
  const not = 'not' in match && match.not ? '!= ' : '';
  switch (match.field) {
    case 'family':
      return `meta nfproto ${family === 6 ? 'ipv6' : 'ipv4'}`;
    case 'protocol':
      return `meta l4proto ${match.is}`;
    case 'source':
      return `${address} saddr ${not}${match.ip}`;
    case 'destination':
      return `${address} daddr ${not}${match.ip}`;
    case 'source-port':
      return `${match.protocol} sport ${not}${match.port}`;
    case 'destination-port':
      return `${match.protocol} dport ${not}${match.port}`;
    case 'destination-ports':
      return `tcp dport ${not}{ ${match.ports.join(', ')} }`;
    case 'packet-mark':
      return `meta mark & ${hex(MARK_MASK)} ${not || '== '}${hex(match.mark)}`;
    case 'connection-mark':
      return `ct mark & ${hex(MARK_MASK)} ${not || '== '}${hex(match.mark)}`;
    case 'arrives-at':
      return `iifname ${not}"${match.device}"`;
    case 'leaves-by':
      return `oifname ${not}"${match.device}"`;
    case 'first-packet':
      return 'tcp flags & (fin | syn | rst | ack) == syn';
    default:
      return unreachable(match);
  }
}

function actionText(action: Action): string {
  switch (action.kind) {
    case 'accept':
    case 'return':
    case 'drop':
      return action.kind;
    case 'reject':
      return 'reject with tcp reset';
    case 'redirect':
      return `redirect to :${action.port}`;
    case 'mark-connection':
      return `ct mark set ct mark & ${hex(0xffffffff - MARK_MASK)} | ${hex(action.mark)}`;
    case 'restore-mark':
      return 'meta mark set ct mark';
    case 'connection-zone':
      return `ct zone set ${action.zone}`;
    default:
      return unreachable(action);
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
