/**
 * Which programs an earlier agent may have made rules with that the one in use does not show: nft, and both flavours of iptables.
 * Plain `iptables` is one of these two, for each family by itself.
 */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { RuleProgram } from './choose-backend.ts';
import type { Execute } from './execute.ts';
import { iptablesProgram } from './iptables-backend.ts';
import type { AddressFamily } from './rule-backend.ts';

export type ExactProgram = Exclude<RuleProgram, 'iptables'>;

/** A program, and the families that rules of it may be of. */
export type FormerProgram = { readonly program: ExactProgram; readonly families: readonly AddressFamily[] };

/** Which of the others can be asked, and which of them do not work here. */
export type FormerPrograms = { readonly usable: readonly FormerProgram[]; readonly unusable: readonly ExactProgram[] };

const programs: readonly ExactProgram[] = ['nft', 'iptables-nft', 'iptables-legacy'];
const bothFamilies: readonly AddressFamily[] = [4, 6];

/** All but the one in use. `plain` is the flavour of plain `iptables` for a family: where it is not known, both may be the one in use. */
export function othersThan(
  own: RuleProgram,
  plain: (family: AddressFamily) => ExactProgram | undefined,
): readonly FormerProgram[] {
  const isOther = (program: ExactProgram, family: AddressFamily): boolean => {
    if (own !== 'iptables' || program === 'nft') return program !== own;
    const flavour = plain(family);
    return flavour !== undefined && flavour !== program;
  };
  return programs
    .map((program) => ({ program, families: bothFamilies.filter((family) => isOther(program, family)) }))
    .filter(({ families }) => families.length > 0);
}

/** The flavour that `iptables --version` names; before 1.8 there was one, and no word for it. */
export function flavourOf(version: string): ExactProgram | undefined {
  if (version.includes('(nf_tables)')) return 'iptables-nft';
  return version.includes('(legacy)') || /\bv1\.[0-7]\./.test(version) ? 'iptables-legacy' : undefined;
}

/** Asks in the node's own namespace, and leaves it as it is. Rejects with the signal's reason only. */
export async function findFormerPrograms(
  own: RuleProgram,
  host: NetworkNamespace,
  execute: Execute,
  signal: AbortSignal,
): Promise<FormerPrograms> {
  const output = async (command: readonly [string, ...string[]]): Promise<string | undefined> => {
    try {
      return await execute(host, command, '', signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return undefined;
    }
  };
  const versions = own === 'iptables' ? await Promise.all(bothFamilies.map((family) => output(versionOf(family)))) : [];
  const others = othersThan(own, (family) => flavourOf(versions[bothFamilies.indexOf(family)] ?? ''));
  const tried = await Promise.all(
    others.map(async ({ program, families }) => {
      const outputs = await Promise.all(families.map((family) => output(lookWith(program, family))));
      return { program, families: families.filter((_, index) => outputs[index] !== undefined) };
    }),
  );
  const isUsable = ({ families }: FormerProgram): boolean => families.length > 0;
  return { usable: tried.filter(isUsable), unusable: tried.filter((each) => !isUsable(each)).map(({ program }) => program) };
}

function versionOf(family: AddressFamily): readonly [string, ...string[]] {
  return [iptablesProgram('iptables', family), '--version'];
}

/** Without `-t`: to be asked for a table, the old flavour makes it. */
function lookWith(program: ExactProgram, family: AddressFamily): readonly [string, ...string[]] {
  return program === 'nft' ? ['nft', 'list', 'tables'] : [`${iptablesProgram(program, family)}-save`];
}
