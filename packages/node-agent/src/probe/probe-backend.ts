/** What says the node's probe rules to its kernel. Every operation is repeatable; each rejects with MESH-REDIRECT-001. */
export interface ProbeBackend {
  /** Sets and rules; addresses that are in the sets stay. */
  install(signal: AbortSignal): Promise<void>;
  add(ips: readonly string[], signal: AbortSignal): Promise<void>;
  remove(ips: readonly string[], signal: AbortSignal): Promise<void>;
  /** Exactly these addresses from now on. */
  replace(ips: readonly string[], signal: AbortSignal): Promise<void>;
  uninstall(signal: AbortSignal): Promise<void>;
}

/** Sources that the node's connections to enrolled pods take on. */
export type ProbeSources = { readonly v4: string; readonly v6: string };

export type AddressSet = { readonly name: 'v4' | 'v6'; readonly ips: readonly string[] };

/** Addresses by family; a family without any is told too. */
export function byFamily(ips: readonly string[]): readonly [v4: AddressSet, v6: AddressSet] {
  const isV6 = (ip: string): boolean => ip.includes(':');
  return [
    { name: 'v4', ips: ips.filter((ip) => !isV6(ip)) },
    { name: 'v6', ips: ips.filter(isV6) },
  ];
}
