/** What makes rules on this node: the program that works here, for pods and for the node itself. */
import { existsSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { Logger } from '@clearmesh/shared/observe/log';
import { replacingFormerProbes } from './probe/former-probes.ts';
import { HostProbes } from './probe/host-probes.ts';
import { hasProbeSets, iptablesProbes } from './probe/iptables-probes.ts';
import { nftProbes } from './probe/nft-probes.ts';
import type { ProbeSources } from './probe/probe-backend.ts';
import { atMost } from './redirect/bounded-run.ts';
import { chooseProgram } from './redirect/choose-backend.ts';
import type { RuleProgram } from './redirect/choose-backend.ts';
import { executor } from './redirect/execute.ts';
import type { Execute } from './redirect/execute.ts';
import { findFormerPrograms } from './redirect/former-program.ts';
import { replacingFormer } from './redirect/former-rules.ts';
import { iptablesBackend } from './redirect/iptables-backend.ts';
import { runInNamespace } from './redirect/namespace-command.ts';
import { nftBackend } from './redirect/nft-backend.ts';
import { Redirector } from './redirect/redirector.ts';
import type { RuleBackend } from './redirect/rule-backend.ts';
import { unreadableRules } from './redirect/unreadable-rules.ts';

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
  const former = await findFormerPrograms(program, host, execute, signal);
  const withIpv6 = ipv6 && existsSync('/proc/net/if_inet6');
  const probes =
    program === 'nft'
      ? nftProbes({ host, sources }, { execute })
      : iptablesProbes({ host, sources, flavour: program, ipv6: withIpv6 }, { execute });
  const formerProbes = { host, others: former.usable, dropsSets: program === 'nft' };
  const onLook = unreadableRules(former, { execute, logger });
  const backend = (each: Execute): RuleBackend => {
    const others = former.usable.map((other) => ({ backend: backendOf(other.program, each), families: other.families }));
    return replacingFormer(backendOf(program, each), others, onLook);
  };
  return {
    probes: new HostProbes({ backend: replacingFormerProbes(probes, formerProbes, { execute }) }),
    redirector: new Redirector({ run, backend }),
  };
}

function backendOf(program: RuleProgram, execute: Execute): RuleBackend {
  return program === 'nft' ? nftBackend(execute) : iptablesBackend(program, execute);
}
