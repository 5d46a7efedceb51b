/** The probe rules by iptables and ipset (control-plane-contract section 6, "Host rules"). */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Execute } from '../redirect/execute.ts';
import { iptablesProgram, iptablesRestore } from '../redirect/iptables-backend.ts';
import type { Flavour } from '../redirect/iptables-backend.ts';
import type { AddressFamily } from '../redirect/rule-backend.ts';
import { byFamily } from './probe-backend.ts';
import type { AddressSet, ProbeBackend, ProbeSources } from './probe-backend.ts';

const CHAIN = 'CLEARMESH_POSTRT';
const JUMP = `-A POSTROUTING -j ${CHAIN}`;

export type IptablesProbesOptions = {
  readonly host: NetworkNamespace;
  readonly sources: ProbeSources;
  readonly flavour: Flavour;
  /** False where the kernel has no IPv6. */
  readonly ipv6: boolean;
};

type Family = { readonly family: AddressFamily; readonly set: 'v4' | 'v6'; readonly source: string };

export function iptablesProbes(options: IptablesProbesOptions, deps: { readonly execute: Execute }): ProbeBackend {
  const { host, flavour, sources, ipv6 } = options;
  const v4: Family = { family: 4, set: 'v4', source: sources.v4 };
  const v6: Family = { family: 6, set: 'v6', source: sources.v6 };
  const families = ipv6 ? [v4, v6] : [v4];
  const sets = async (lines: readonly string[], signal: AbortSignal): Promise<void> => {
    if (lines.length > 0) await deps.execute(host, ['ipset', 'restore', '-exist'], `${lines.join('\n')}\n`, signal);
  };
  return {
    install: async (signal) => {
      await sets([creation('v4', ''), creation('v6', '')], signal);
      for (const each of families) {
        const saved = await deps.execute(host, [`${iptablesProgram(flavour, each.family)}-save`, '-t', 'nat'], '', signal);
        await deps.execute(host, iptablesRestore(flavour, each.family), installText(each, saved), signal);
      }
    },
    add: (ips, signal) =>
      sets(
        byFamily(ips).flatMap((set) => entries('add', set, '')),
        signal,
      ),
    remove: (ips, signal) =>
      sets(
        byFamily(ips).flatMap((set) => entries('del', set, '')),
        signal,
      ),
    replace: (ips, signal) => sets(byFamily(ips).flatMap(replacement), signal),
    uninstall: async (signal) => {
      for (const { family } of families) await removeIptablesProbeRules({ host, flavour, family }, deps.execute, signal);
      await destroyProbeSets(host, deps.execute, signal);
    },
  };
}

/** Whether a set of ours is in the namespace: the rules of an earlier agent are iptables' then. */
export async function hasProbeSets(host: NetworkNamespace, execute: Execute, signal: AbortSignal): Promise<boolean> {
  const listing = await execute(host, ['ipset', 'list', '-n'], '', signal, { forgive: () => true });
  return listing.split('\n').includes(setName('v4'));
}

/** Both sets go; no rule may name them any more. */
export async function destroyProbeSets(host: NetworkNamespace, execute: Execute, signal: AbortSignal): Promise<void> {
  const names = ['v4', 'v6'] as const;
  // Created first, so that there is something to destroy.
  const lines = [...names.map((name) => creation(name, '')), ...names.map((name) => `destroy ${setName(name)}`)];
  await execute(host, ['ipset', 'restore', '-exist'], `${lines.join('\n')}\n`, signal);
}

export type ProbeRules = {
  readonly host: NetworkNamespace;
  readonly flavour: Flavour;
  readonly family: AddressFamily;
};

/** The rules of one flavour and family go, and no table is made for that; the sets stay. */
export async function removeIptablesProbeRules(
  { host, flavour, family }: ProbeRules,
  execute: Execute,
  signal: AbortSignal,
): Promise<void> {
  const text = removeText(await execute(host, [`${iptablesProgram(flavour, family)}-save`], '', signal));
  if (text !== '') await execute(host, iptablesRestore(flavour, family), text, signal);
}

function installText({ set, source }: Family, saved: string): string {
  const rule = `-A ${CHAIN} -p tcp -m owner --socket-exists -m set --match-set ${setName(set)} dst -j SNAT --to-source ${source}`;
  return `*nat\n:${CHAIN} - [0:0]\n${jumpsGone(saved)}-I POSTROUTING 1 -j ${CHAIN}\n${rule}\nCOMMIT\n`;
}

function removeText(saved: string): string {
  if (!saved.includes(`:${CHAIN} `)) return '';
  return `*nat\n:${CHAIN} - [0:0]\n${jumpsGone(saved)}-X ${CHAIN}\nCOMMIT\n`;
}

function jumpsGone(saved: string): string {
  const jumps = saved.split('\n').filter((line) => line.trim() === JUMP);
  return jumps.map(() => `-D POSTROUTING -j ${CHAIN}\n`).join('');
}

function setName(name: 'v4' | 'v6'): string {
  return `clearmesh-probes-${name}`;
}

function creation(name: 'v4' | 'v6', suffix: string): string {
  return `create ${setName(name)}${suffix} hash:ip family ${name === 'v4' ? 'inet' : 'inet6'}`;
}

function entries(verb: 'add' | 'del', { name, ips }: AddressSet, suffix: string): readonly string[] {
  return ips.map((ip) => `${verb} ${setName(name)}${suffix} ${ip}`);
}

/** A new set takes the old one's place, so that no address is missing in between. */
function replacement(set: AddressSet): readonly string[] {
  const next = `${setName(set.name)}-next`;
  const fresh = [creation(set.name, '-next'), `flush ${next}`, ...entries('add', set, '-next')];
  return [...fresh, `swap ${next} ${setName(set.name)}`, `destroy ${next}`];
}
