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
import type { Action, Chain, Match, Rule, Table } from './rule.ts';

export const PROXY_MARK = 0x539;
export const REPLY_MARK = 0x111;
export const MARK_MASK = 0xfff;
export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
export const HBONE_PORT = 15008;
export const DNS_PORT = 15053;
/** Sources that the node's own connections to pods take on, such as the kubelet's probes. */
export const PROBE_V4 = '169.254.7.127';
export const PROBE_V6 = 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff';

type TableName = 'istio-ambient-mangle' | 'istio-ambient-raw' | 'istio-ambient-nat';

/** Every table the redirection itself may own; named as upstream's nft variant names them. */
export const TABLE_NAMES: readonly TableName[] = ['istio-ambient-mangle', 'istio-ambient-raw', 'istio-ambient-nat'];

// linux/netfilter_ipv4.h: NF_IP_PRI_RAW, _MANGLE, _NAT_DST.
const RAW = -300;
const MANGLE = -150;
const NAT_DST = -100;

const TCP: Match = { field: 'protocol', is: 'tcp' };
const FROM_PROXY: Match = { field: 'packet-mark', mark: PROXY_MARK };
export const NOT_FROM_PROXY: Match = { field: 'packet-mark', mark: PROXY_MARK, not: true };
const ACCEPT: Action = { kind: 'accept' };

/** The addresses that rules of one address family name. */
export type FamilyTerms = { readonly family: 4 | 6; readonly loopback: string; readonly probe: string };

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
  action: { kind: 'mark-connection', mark: REPLY_MARK },
};

const markReply: Rule = {
  row: 'reply to the proxy',
  matches: [{ field: 'connection-mark', mark: REPLY_MARK }],
  action: { kind: 'restore-mark' },
};

function inboundRules(redirection: Redirection, families: readonly FamilyTerms[]): readonly Rule[] {
  const virtual = (redirection.virtualInterfaces ?? []).flatMap(rulesOfVirtualInterface);
  if (redirection.inboundCapture === false) return virtual;
  const perFamily = ({ family, loopback, probe }: FamilyTerms): readonly Rule[] => [
    {
      family,
      row: 'probe goes straight to the application',
      matches: [{ field: 'source', ip: probe }, TCP],
      action: ACCEPT,
    },
    {
      family,
      row: 'inbound',
      matches: [
        { field: 'destination', ip: loopback, not: true },
        { field: 'destination-port', protocol: 'tcp', port: HBONE_PORT, not: true },
        NOT_FROM_PROXY,
      ],
      action: { kind: 'redirect', port: INBOUND_PORT },
    },
  ];
  return [...virtual, ...inRows(families.map(perFamily))];
}

function outboundRules(redirection: Redirection, families: readonly FamilyTerms[]): readonly Rule[] {
  const dns = redirection.dnsCapture === true ? dnsRules : (): readonly Rule[] => [];
  const perFamily = (terms: FamilyTerms): readonly Rule[] => {
    const { family, loopback, probe } = terms;
    const elsewhere: Match = { field: 'destination', ip: loopback, not: true };
    return [
      { family, row: 'answer to a probe', matches: [{ field: 'destination', ip: probe }, TCP], action: ACCEPT },
      ...dns(terms),
      {
        family,
        row: 'reply to the proxy',
        matches: [{ field: 'family' }, TCP, { field: 'packet-mark', mark: REPLY_MARK }],
        action: ACCEPT,
      },
      { family, row: 'call to an own address', matches: [elsewhere, { field: 'leaves-by', device: 'lo' }], action: ACCEPT },
      {
        family,
        row: 'outbound',
        matches: [elsewhere, TCP, NOT_FROM_PROXY],
        action: { kind: 'redirect', port: OUTBOUND_PORT },
      },
    ];
  };
  return inRows(families.map(perFamily));
}

function dnsRules({ family, loopback }: FamilyTerms): readonly Rule[] {
  const action: Action = { kind: 'redirect', port: DNS_PORT };
  const udp: readonly Match[] = [
    { field: 'family' },
    { field: 'destination-port', protocol: 'udp', port: 53 },
    { field: 'leaves-by', device: 'lo', not: true },
  ];
  const tcp: readonly Match[] = [
    { field: 'destination', ip: loopback, not: true },
    { field: 'destination-port', protocol: 'tcp', port: 53 },
  ];
  return [
    { family, row: 'DNS over UDP', matches: [...udp, NOT_FROM_PROXY], action },
    { family, row: 'DNS over TCP', matches: [...tcp, NOT_FROM_PROXY], action },
  ];
}

/** Queries of the proxy keep apart from the redirected ones, whose tuples may be equal. */
function zoneOfQueries({ family }: FamilyTerms): Rule {
  const query: Match = { field: 'destination-port', protocol: 'udp', port: 53 };
  const matches = [{ field: 'family' } as const, query, FROM_PROXY];
  return { family, row: 'DNS query of the proxy', matches, action: { kind: 'connection-zone', zone: 1 } };
}

function zoneOfAnswers({ family }: FamilyTerms): Rule {
  const answer: Match = { field: 'source-port', protocol: 'udp', port: 53 };
  const matches = [{ field: 'family' } as const, answer, NOT_FROM_PROXY];
  return { family, row: 'DNS answer to the proxy', matches, action: { kind: 'connection-zone', zone: 1 } };
}

function rulesOfVirtualInterface(device: string): readonly Rule[] {
  const arrives: Match = { field: 'arrives-at', device };
  return [
    { row: 'from a virtual interface', matches: [arrives, TCP], action: { kind: 'redirect', port: OUTBOUND_PORT } },
    { row: 'from a virtual interface', matches: [arrives], action: { kind: 'return' } },
  ];
}

export function familiesOf(redirection: Redirection): readonly FamilyTerms[] {
  const { probeV4 = PROBE_V4, probeV6 = PROBE_V6 } = redirection;
  const v4: FamilyTerms = { family: 4, loopback: '127.0.0.1', probe: probeV4 };
  const v6: FamilyTerms = { family: 6, loopback: '::1', probe: probeV6 };
  return redirection.ipv6 === false ? [v4] : [v4, v6];
}

/** The families' lists, merged row by row: the order of the contract shows when the rules are listed. */
export function inRows(lists: readonly (readonly Rule[])[]): readonly Rule[] {
  const [first = []] = lists;
  return first.flatMap((_, index) => lists.flatMap((list) => list[index] ?? []));
}
