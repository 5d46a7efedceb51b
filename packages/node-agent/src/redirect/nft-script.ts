/**
 * Redirection tables as text for `nft -f -`, which applies a whole script in one transaction: a pod is never half captured.
 * Each table is added, deleted and added again, so that the same script installs, updates and repairs. Pure.
 */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { GUARD_TABLE, guardTable } from './guard-rules.ts';
import type { GuardVerdict } from './guard-rules.ts';
import { TABLE_NAMES, podTables } from './pod-rules.ts';
import type { Chain, Rule, Table } from './pod-rules.ts';
import { isInterfaceName } from './redirection.ts';
import type { Redirection } from './redirection.ts';

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

/** The script that removes redirection and guard, also where there are none. */
export function removeScript(): string {
  return removal([...TABLE_NAMES, GUARD_TABLE]);
}

function removal(names: readonly string[]): string {
  return names.map((name) => `add table inet ${name}\ndelete table inet ${name}\n`).join('');
}

/** Settings end up inside rule text: what is not of the expected form must not reach nft. */
function refuseForeignText(redirection: Redirection): void {
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

function ruleText({ row, matches, action }: Rule): string {
  return `    ${[...matches, action].join(' ')} comment "${row}"\n`;
}
