/**
 * Packet rules as data, without the words of nft or iptables: a rule says what it matches and what becomes of the packet; a
 * script says it to the kernel. Pure types.
 */

/** One condition. `not` turns it round. */
export type Match =
  /** The rule is for its own address family only, and has no address that says so. */
  | { readonly field: 'family' }
  | { readonly field: 'protocol'; readonly is: 'tcp' }
  | { readonly field: 'source' | 'destination'; readonly ip: string; readonly not?: true }
  | {
      readonly field: 'source-port' | 'destination-port';
      readonly protocol: 'tcp' | 'udp';
      readonly port: number;
      readonly not?: true;
    }
  | { readonly field: 'destination-ports'; readonly ports: readonly number[]; readonly not: true }
  | { readonly field: 'packet-mark' | 'connection-mark'; readonly mark: number; readonly not?: true }
  | { readonly field: 'arrives-at' | 'leaves-by'; readonly device: string; readonly not?: true }
  /** TCP, SYN alone: nobody has answered yet. */
  | { readonly field: 'first-packet' };

export type Action =
  | { readonly kind: 'accept' | 'return' | 'drop' | 'reject' }
  | { readonly kind: 'redirect'; readonly port: number }
  /** The connection is marked, its other mark bits stay. */
  | { readonly kind: 'mark-connection'; readonly mark: number }
  /** The packet takes over the connection's mark. */
  | { readonly kind: 'restore-mark' }
  | { readonly kind: 'connection-zone'; readonly zone: number };

/** All matches hold → action. `row` says which row of the contract it is, and stands in the kernel as comment. */
export type Rule = {
  /** Absent: the rule is the same for both. */
  readonly family?: 4 | 6;
  readonly row: string;
  readonly matches: readonly Match[];
  readonly action: Action;
};

export type Chain = {
  readonly name: 'prerouting' | 'input' | 'output';
  readonly type: 'filter' | 'route' | 'nat';
  /** As the kernel's number: nft's names for them differ by hook. */
  readonly priority: number;
  readonly rules: readonly Rule[];
};

/** A set of chains that come and go together. */
export type Table = { readonly name: string; readonly chains: readonly Chain[] };
