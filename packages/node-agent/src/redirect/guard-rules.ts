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
 *     Afterwards it rejects: the client knows at once. Of a pod that joins or leaves while it runs nothing is dropped: what
 *     passes in these moments would have passed before, or may pass after.
 * G3  it stops first packets only, as the redirection takes first packets only: connections that were open when the pod was
 *     captured live on as they were, in plaintext and unseen by policy, until they end.
 */
import {
  DNS_PORT,
  FIRST_PACKET,
  HBONE_PORT,
  INBOUND_PORT,
  NOT_FROM_PROXY,
  OUTBOUND_PORT,
  capturesOutbound,
  familiesOf,
  inRows,
} from './pod-rules.ts';
import type { FamilyTerms } from './pod-rules.ts';
import type { Redirection } from './redirection.ts';
import type { Match, Rule, Table } from './rule.ts';

export const GUARD_TABLE = 'clearmesh-guard';

/** What becomes of a first packet that was not redirected (G2). */
export type GuardVerdict = 'drop' | 'reject';

// linux/netfilter_ipv4.h: NF_IP_PRI_FILTER, which is after NAT on the way out and on the way in.
const FILTER = 0;

/** The guard's table for one pod. */
export function guardTable(redirection: Redirection, verdict: GuardVerdict): Table {
  const families = familiesOf(redirection);
  const outbound = inRows(families.map((terms) => [outboundGuard(terms, verdict)]));
  const inbound = inRows(families.map((terms) => [inboundGuard(terms, verdict)]));
  return {
    name: GUARD_TABLE,
    chains: [
      { name: 'output', type: 'filter', priority: FILTER, rules: capturesOutbound(redirection) ? outbound : [] },
      // A pod that is not captured inwards takes what comes.
      { name: 'input', type: 'filter', priority: FILTER, rules: redirection.inboundCapture === false ? [] : inbound },
    ],
  };
}

/** A redirected packet has the loopback address by now; one to an address of the pod leaves by `lo`. */
function outboundGuard({ family, loopback, probe }: FamilyTerms, verdict: GuardVerdict): Rule {
  const elsewhere: readonly Match[] = [
    { field: 'destination', ip: loopback, not: true },
    { field: 'destination', ip: probe, not: true },
    { field: 'leaves-by', device: 'lo', not: true },
  ];
  const matches = [...elsewhere, FIRST_PACKET, NOT_FROM_PROXY];
  return { family, row: 'outbound, but not redirected', matches, action: { kind: verdict } };
}

/** A redirected packet has a port of the proxy by now. Probes of the node come as they are, and are let in. */
function inboundGuard({ family, probe }: FamilyTerms, verdict: GuardVerdict): Rule {
  const from: readonly Match[] = [
    { field: 'source', ip: probe, not: true },
    { field: 'arrives-at', device: 'lo', not: true },
    { field: 'destination-ports', ports: [OUTBOUND_PORT, INBOUND_PORT, HBONE_PORT, DNS_PORT], not: true },
  ];
  const matches = [...from, FIRST_PACKET, NOT_FROM_PROXY];
  return { family, row: 'inbound, but not redirected', matches, action: { kind: verdict } };
}
