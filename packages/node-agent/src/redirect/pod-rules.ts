/**
 * The redirection inside a pod as data (l4-contract section 6, rows in its order). Pure.
 *
 * M1  a packet of the proxy carries mark 0x539; nothing here redirects it.
 * M2  a connection the proxy makes to the application carries connmark 0x111. The application's replies take it over as
 *     packet mark, so that the policy route brings them to the proxy's socket even where the source was another pod's address.
 *     No sysctl is needed for that: a packet looped through `lo` keeps its output route, so neither rp_filter nor
 *     route_localnet is asked (tested with rp_filter 0 and 1).
 * M3  IPv4 and IPv6 get the same rows, each with its own addresses.
 * M4  what is not TCP (and, under DNS capture, not DNS) stays untouched.
 */
import { unreachable } from '@clearmesh/shared/lifecycle/unreachable';
import type { Redirection } from './redirection.ts';

export const PROXY_MARK = 0x539;
export const REPLY_MARK = 0x111;
export const MARK_MASK = 0xfff;
export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
export const HBONE_PORT = 15008;
export const DNS_PORT = 15053;

/** One nft rule: all matches hold → action. `row` says which row of the contract it is, and stands in the kernel as comment. */
export type Rule = { readonly row: string; readonly matches: readonly string[]; readonly action: string };

export type Chain = {
  readonly name: 'prerouting' | 'input' | 'output';
  readonly type: 'filter' | 'route' | 'nat';
  /** As the kernel's number: nft's names for them differ by hook. */
  readonly priority: number;
  readonly rules: readonly Rule[];
};

/** A table of family `inet`; those of the redirection are named as upstream's nft variant names them. */
export type Table = { readonly name: string; readonly chains: readonly Chain[] };

type TableName = 'istio-ambient-mangle' | 'istio-ambient-raw' | 'istio-ambient-nat';

/** Every table the redirection itself may own. */
export const TABLE_NAMES: readonly TableName[] = ['istio-ambient-mangle', 'istio-ambient-raw', 'istio-ambient-nat'];

// linux/netfilter_ipv4.h: NF_IP_PRI_RAW, _MANGLE, _NAT_DST.
const RAW = -300;
const MANGLE = -150;
const NAT_DST = -100;

const TCP = 'meta l4proto tcp';
const FROM_PROXY = `meta mark & ${hex(MARK_MASK)} == ${hex(PROXY_MARK)}`;
export const NOT_FROM_PROXY: string = `meta mark & ${hex(MARK_MASK)} != ${hex(PROXY_MARK)}`;

/** How rules of one address family are written. */
export type FamilyTerms = {
  readonly only: string;
  readonly address: 'ip' | 'ip6';
  readonly loopback: string;
  readonly probe: string;
};

/** The tables of one pod; `istio-ambient-raw` has no rules without DNS capture. */
export function podTables(redirection: Redirection): readonly Table[] {
  const families = familiesOf(redirection);
  return TABLE_NAMES.map((name) => ({ name, chains: chainsOf(name, redirection, families) }));
}

function chainsOf(name: TableName, redirection: Redirection, families: readonly FamilyTerms[]): readonly Chain[] {
  switch (name) {
    case 'istio-ambient-mangle':
      return [
        { name: 'prerouting', type: 'filter', priority: MANGLE, rules: [markConnection] },
        // Type route: a changed mark makes the kernel look the route up again.
        { name: 'output', type: 'route', priority: MANGLE, rules: [markReply] },
      ];
    case 'istio-ambient-raw':
      if (redirection.dnsCapture !== true) return [];
      return [
        { name: 'prerouting', type: 'filter', priority: RAW, rules: families.map(zoneOfAnswers) },
        { name: 'output', type: 'filter', priority: RAW, rules: families.map(zoneOfQueries) },
      ];
    case 'istio-ambient-nat':
      return [
        { name: 'prerouting', type: 'nat', priority: NAT_DST, rules: inboundRules(redirection, families) },
        { name: 'output', type: 'nat', priority: NAT_DST, rules: outboundRules(redirection, families) },
      ];
    default:
      return unreachable(name);
  }
}

const markConnection: Rule = {
  row: 'connection made by the proxy',
  matches: [FROM_PROXY],
  action: `ct mark set ct mark & ${hex(0xffffffff - MARK_MASK)} | ${hex(REPLY_MARK)}`,
};

const markReply: Rule = {
  row: 'reply to the proxy',
  matches: [`ct mark & ${hex(MARK_MASK)} == ${hex(REPLY_MARK)}`],
  action: 'meta mark set ct mark',
};

function inboundRules(redirection: Redirection, families: readonly FamilyTerms[]): readonly Rule[] {
  const virtual = (redirection.virtualInterfaces ?? []).flatMap(rulesOfVirtualInterface);
  if (redirection.inboundCapture === false) return virtual;
  const perFamily = (terms: FamilyTerms): readonly Rule[] => [
    { row: 'probe goes straight to the application', matches: [`${terms.address} saddr ${terms.probe}`, TCP], action: 'accept' },
    {
      row: 'inbound',
      matches: [`${terms.address} daddr != ${terms.loopback}`, `tcp dport != ${HBONE_PORT}`, NOT_FROM_PROXY],
      action: `redirect to :${INBOUND_PORT}`,
    },
  ];
  return [...virtual, ...inRows(families.map(perFamily))];
}

function outboundRules(redirection: Redirection, families: readonly FamilyTerms[]): readonly Rule[] {
  const dns = redirection.dnsCapture === true ? dnsRules : (): readonly Rule[] => [];
  const perFamily = (terms: FamilyTerms): readonly Rule[] => [
    { row: 'answer to a probe', matches: [`${terms.address} daddr ${terms.probe}`, TCP], action: 'accept' },
    ...dns(terms),
    {
      row: 'reply to the proxy',
      matches: [terms.only, TCP, `meta mark & ${hex(MARK_MASK)} == ${hex(REPLY_MARK)}`],
      action: 'accept',
    },
    { row: 'call to an own address', matches: [`${terms.address} daddr != ${terms.loopback}`, 'oifname "lo"'], action: 'accept' },
    {
      row: 'outbound',
      matches: [`${terms.address} daddr != ${terms.loopback}`, TCP, NOT_FROM_PROXY],
      action: `redirect to :${OUTBOUND_PORT}`,
    },
  ];
  return inRows(families.map(perFamily));
}

function dnsRules(terms: FamilyTerms): readonly Rule[] {
  const action = `redirect to :${DNS_PORT}`;
  return [
    { row: 'DNS over UDP', matches: [terms.only, 'udp dport 53', 'oifname != "lo"', NOT_FROM_PROXY], action },
    { row: 'DNS over TCP', matches: [`${terms.address} daddr != ${terms.loopback}`, 'tcp dport 53', NOT_FROM_PROXY], action },
  ];
}

/** Queries of the proxy keep apart from the redirected ones, whose tuples may be equal. */
function zoneOfQueries(terms: FamilyTerms): Rule {
  return { row: 'DNS query of the proxy', matches: [terms.only, 'udp dport 53', FROM_PROXY], action: 'ct zone set 1' };
}

function zoneOfAnswers(terms: FamilyTerms): Rule {
  return { row: 'DNS answer to the proxy', matches: [terms.only, 'udp sport 53', NOT_FROM_PROXY], action: 'ct zone set 1' };
}

function rulesOfVirtualInterface(name: string): readonly Rule[] {
  const arrives = `iifname "${name}"`;
  return [
    { row: 'from a virtual interface', matches: [arrives, TCP], action: `redirect to :${OUTBOUND_PORT}` },
    { row: 'from a virtual interface', matches: [arrives], action: 'return' },
  ];
}

export function familiesOf(redirection: Redirection): readonly FamilyTerms[] {
  const { probeV4 = '169.254.7.127', probeV6 = 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff' } = redirection;
  const v4: FamilyTerms = { only: 'meta nfproto ipv4', address: 'ip', loopback: '127.0.0.1', probe: probeV4 };
  const v6: FamilyTerms = { only: 'meta nfproto ipv6', address: 'ip6', loopback: '::1', probe: probeV6 };
  return redirection.ipv6 === false ? [v4] : [v4, v6];
}

/** The families' lists, merged row by row: the order of the contract shows when the rules are listed. */
export function inRows(lists: readonly (readonly Rule[])[]): readonly Rule[] {
  const [first = []] = lists;
  return first.flatMap((_, index) => lists.flatMap((list) => list[index] ?? []));
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
