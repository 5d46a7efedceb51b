/**
 * The guard of a captured pod: a new connection is redirected, or it is refused. Pure.
 *
 * NAT decides once a connection, at its first packet, and connection tracking remembers the answer, "no" included. What was
 * remembered in the moments while the redirection was being installed would let a later connection of the same addresses and
 * ports slip past it: in plaintext outwards, around all policy inwards. Seen under load with every port that such an entry
 * held. The guard asks after NAT, so it sees what slipped past.
 *
 * G1  it stands before the redirection and goes after it.
 * G2  while the redirection is being installed it drops: the client's kernel sends its SYN again, and nothing is lost.
 *     Afterwards it rejects: the client knows at once.
 * G3  it stops first packets only. Of the connections that were open when the pod was captured, those that tracking knew
 *     live on, in plaintext; the others end with a reset at their next packet, which is redirected.
 */
import { DNS_PORT, HBONE_PORT, INBOUND_PORT, NOT_FROM_PROXY, OUTBOUND_PORT, familiesOf, inRows } from './pod-rules.ts';
import type { FamilyTerms, Rule, Table } from './pod-rules.ts';
import type { Redirection } from './redirection.ts';

export const GUARD_TABLE = 'clearmesh-guard';

/** What becomes of a first packet that was not redirected (G2). */
export type GuardVerdict = 'drop' | 'reject with tcp reset';

// linux/netfilter_ipv4.h: NF_IP_PRI_FILTER, which is after NAT on the way out and on the way in.
const FILTER = 0;
const FIRST_PACKET = 'tcp flags & (fin | syn | rst | ack) == syn';

/** The guard's table for one pod. */
export function guardTable(redirection: Redirection, verdict: GuardVerdict): Table {
  const families = familiesOf(redirection);
  const outbound = inRows(families.map((terms) => [outboundGuard(terms, verdict)]));
  const inbound = inRows(families.map((terms) => [inboundGuard(terms, verdict)]));
  return {
    name: GUARD_TABLE,
    chains: [
      { name: 'output', type: 'filter', priority: FILTER, rules: outbound },
      // A pod that is not captured inwards takes what comes.
      { name: 'input', type: 'filter', priority: FILTER, rules: redirection.inboundCapture === false ? [] : inbound },
    ],
  };
}

/** A redirected packet has the loopback address by now; one to an address of the pod leaves by `lo`. */
function outboundGuard({ address, loopback, probe }: FamilyTerms, verdict: GuardVerdict): Rule {
  const elsewhere = [`${address} daddr != ${loopback}`, `${address} daddr != ${probe}`, 'oifname != "lo"'];
  return { row: 'outbound, but not redirected', matches: [...elsewhere, FIRST_PACKET, NOT_FROM_PROXY], action: verdict };
}

/** A redirected packet has a port of the proxy by now. */
function inboundGuard({ address, probe }: FamilyTerms, verdict: GuardVerdict): Rule {
  const ports = `tcp dport != { ${[OUTBOUND_PORT, INBOUND_PORT, HBONE_PORT, DNS_PORT].join(', ')} }`;
  const from = [`${address} saddr != ${probe}`, 'iifname != "lo"'];
  return { row: 'inbound, but not redirected', matches: [...from, ports, FIRST_PACKET, NOT_FROM_PROXY], action: verdict };
}
