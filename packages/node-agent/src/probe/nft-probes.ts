/** The probe rules by nft: a table of our own in the node's namespace (control-plane-contract section 6, "Host rules"). */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Execute } from '../redirect/execute.ts';
import { byFamily } from './probe-backend.ts';
import type { AddressSet, ProbeBackend, ProbeSources } from './probe-backend.ts';

const TABLE = 'inet clearmesh-host';
// Before everybody's source NAT (100), masquerading among it: the first that translates is the only one.
const PRIORITY = 99;
// Only packets with a socket of this machine have a user: what is forwarded never matches.
const LOCAL_SOCKET = 'meta skuid 0-4294967294';

export function nftProbes(
  options: { readonly host: NetworkNamespace; readonly sources: ProbeSources },
  deps: { readonly execute: Execute },
): ProbeBackend {
  const run = async (lines: readonly string[], signal: AbortSignal): Promise<void> => {
    if (lines.length > 0) await deps.execute(options.host, ['nft', '-f', '-'], `${lines.join('\n')}\n`, signal);
  };
  return {
    install: (signal) => run(installLines(options.sources), signal),
    add: (ips, signal) =>
      run(
        byFamily(ips).flatMap((set) => elements('add', set)),
        signal,
      ),
    // Deleting what is not there would fail: it is put there first, in the same transaction.
    remove: (ips, signal) =>
      run(
        byFamily(ips).flatMap((set) => [...elements('add', set), ...elements('delete', set)]),
        signal,
      ),
    replace: (ips, signal) =>
      run(
        byFamily(ips).flatMap((set) => [`flush set ${TABLE} probes-${set.name}`, ...elements('add', set)]),
        signal,
      ),
    uninstall: (signal) => removeNftProbes(options.host, deps.execute, signal),
  };
}

/** The table goes, also where there is none. */
export async function removeNftProbes(host: NetworkNamespace, execute: Execute, signal: AbortSignal): Promise<void> {
  await execute(host, ['nft', '-f', '-'], `add table ${TABLE}\ndelete table ${TABLE}\n`, signal);
}

function installLines({ v4, v6 }: ProbeSources): readonly string[] {
  const to = (address: 'ip' | 'ip6', set: string, source: string): string =>
    `add rule ${TABLE} postrouting meta l4proto tcp ${LOCAL_SOCKET} ${address} daddr @probes-${set} snat ${address} to ${source} comment "node to pod"`;
  return [
    `add table ${TABLE}`,
    `add set ${TABLE} probes-v4 { type ipv4_addr; }`,
    `add set ${TABLE} probes-v6 { type ipv6_addr; }`,
    `add chain ${TABLE} postrouting { type nat hook postrouting priority ${PRIORITY}; policy accept; }`,
    `flush chain ${TABLE} postrouting`,
    to('ip', 'v4', v4),
    to('ip6', 'v6', v6),
  ];
}

function elements(verb: 'add' | 'delete', { name, ips }: AddressSet): readonly string[] {
  return ips.length === 0 ? [] : [`${verb} element ${TABLE} probes-${name} { ${ips.join(', ')} }`];
}
