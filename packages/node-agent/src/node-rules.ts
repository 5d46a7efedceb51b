/** What makes rules on this node: the program that works here, for pods and for the node itself. */
import { existsSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Logger } from '@clearmesh/shared/observe/log';
import { HostProbes } from './probe/host-probes.ts';
import { hasProbeSets, iptablesProbes } from './probe/iptables-probes.ts';
import { nftProbes } from './probe/nft-probes.ts';
import type { ProbeSources } from './probe/probe-backend.ts';
import { atMost } from './redirect/bounded-run.ts';
import { chooseProgram } from './redirect/choose-backend.ts';
import type { RuleProgram } from './redirect/choose-backend.ts';
import { executor } from './redirect/execute.ts';
import { iptablesBackend } from './redirect/iptables-backend.ts';
import { runInNamespace } from './redirect/namespace-command.ts';
import { nftBackend } from './redirect/nft-backend.ts';
import { Redirector } from './redirect/redirector.ts';

export type NodeRulesOptions = {
  readonly rules: RuleProgram | 'auto';
  readonly ipv6: boolean;
  readonly sources: ProbeSources;
};

export type NodeRules = { readonly redirector: Redirector; readonly probes: HostProbes };

/** Programs at a time. */
const maxPrograms = 8;

/** Rejects with MESH-HOST-001 where no rules can be made. */
export async function nodeRules(
  { rules, ipv6, sources }: NodeRulesOptions,
  { host, logger }: { readonly host: NetworkNamespace; readonly logger: Logger },
  signal: AbortSignal,
): Promise<NodeRules> {
  const run = atMost(maxPrograms, runInNamespace);
  const execute = executor(run);
  const hasOldRules = (stop: AbortSignal): Promise<boolean> => hasProbeSets(host, execute, stop);
  const program = await chooseProgram(rules, host, { execute, hasOldRules }, signal);
  logger.info('rules are made', { by: program });
  if (program === 'nft') {
    const probes = new HostProbes({ backend: nftProbes({ host, sources }, { execute }) });
    return { probes, redirector: new Redirector({ run, backend: nftBackend }) };
  }
  const withIpv6 = ipv6 && existsSync('/proc/net/if_inet6');
  const backend = iptablesProbes({ host, sources, flavour: program, ipv6: withIpv6 }, { execute });
  return {
    probes: new HostProbes({ backend }),
    redirector: new Redirector({ run, backend: (each) => iptablesBackend(program, each) }),
  };
}
