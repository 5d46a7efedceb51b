/** Which program says the rules on this node: as told, or the one that is found to work. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Execute } from './execute.ts';
import type { Flavour } from './iptables-backend.ts';

export type RuleProgram = 'nft' | Flavour;

export const rulePrograms: readonly RuleProgram[] = ['nft', 'iptables', 'iptables-nft', 'iptables-legacy'];

export type ProgramChoiceDeps = {
  readonly execute: Execute;
  /** Whether an earlier agent has left rules of iptables: pods that run have them too, and need not be changed. */
  readonly hasOldRules: (signal: AbortSignal) => Promise<boolean>;
};

/** Tries in the node's own namespace; rejects with MESH-HOST-001 when nothing works. */
export async function chooseProgram(
  wish: RuleProgram | 'auto',
  host: NetworkNamespace,
  deps: ProgramChoiceDeps,
  signal: AbortSignal,
): Promise<RuleProgram> {
  const order: readonly RuleProgram[] = (await deps.hasOldRules(signal)) ? ['iptables', 'nft'] : ['nft', 'iptables'];
  const candidates = wish === 'auto' ? order : [wish];
  const complaints: string[] = [];
  for (const program of candidates) {
    const complaint = await complaintOf(program, host, deps.execute, signal);
    if (complaint === undefined) return program;
    complaints.push(complaint);
  }
  throw new MeshError('MESH-HOST-001', {
    message: `no program can install rules here: ${complaints.join('; ')}`,
    hint: 'The image needs nft, or iptables with ipset; the process needs CAP_NET_ADMIN; the kernel needs nf_tables or ip_tables.',
  });
}

async function complaintOf(
  program: RuleProgram,
  host: NetworkNamespace,
  execute: Execute,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    if (program === 'nft') await execute(host, ['nft', 'list', 'tables'], '', signal);
    else {
      await execute(host, [`${program}-save`, '-t', 'nat'], '', signal);
      await execute(host, ['ipset', 'list', '-n'], '', signal);
    }
    return undefined;
  } catch (error) {
    if (signal.aborted) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}
