/**
 * Probe rules that an earlier agent made with another program.
 *
 * F1  they stay until all addresses are in the sets of the new ones: no probe comes from an address that the pods refuse.
 * F2  both flavours of iptables share the sets: these go with the last rules, and stay where the new rules need them.
 */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Execute } from '../redirect/execute.ts';
import type { ExactProgram, FormerProgram } from '../redirect/former-program.ts';
import { destroyProbeSets, hasProbeSets, removeIptablesProbeRules } from './iptables-probes.ts';
import { removeNftProbes } from './nft-probes.ts';
import type { ProbeBackend } from './probe-backend.ts';

export type FormerProbesOptions = {
  readonly host: NetworkNamespace;
  readonly others: readonly FormerProgram[];
  /** False where the new rules use the sets of iptables. */
  readonly dropsSets: boolean;
};

/** `own`, which takes the rules of the others away once it can do without them. */
export function replacingFormerProbes(
  own: ProbeBackend,
  { host, others, dropsSets }: FormerProbesOptions,
  { execute }: { readonly execute: Execute },
): ProbeBackend {
  const removeBy = async (program: ExactProgram, families: FormerProgram['families'], signal: AbortSignal): Promise<void> => {
    if (program === 'nft') await removeNftProbes(host, execute, signal);
    else for (const family of families) await removeIptablesProbeRules({ host, flavour: program, family }, execute, signal);
  };
  const clear = async (signal: AbortSignal): Promise<void> => {
    for (const { program, families } of others) await removeBy(program, families, signal);
    if (dropsSets && (await hasProbeSets(host, execute, signal))) await destroyProbeSets(host, execute, signal);
  };
  return {
    install: (signal) => own.install(signal),
    add: (ips, signal) => own.add(ips, signal),
    remove: (ips, signal) => own.remove(ips, signal),
    replace: async (ips, signal) => {
      await own.replace(ips, signal);
      await clear(signal);
    },
    uninstall: async (signal) => {
      // First: what a rule still names is not destroyed.
      await clear(signal);
      await own.uninstall(signal);
    },
  };
}
