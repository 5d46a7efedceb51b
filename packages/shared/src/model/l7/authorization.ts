/** AuthorizationPolicy as a waypoint enforces it (control-plane-contract section 4.5): rules as written, L7 fields included. */

export type L7AuthorizationPolicy = {
  readonly key: string;
  readonly namespace: string;
  readonly action: 'ALLOW' | 'DENY';
  readonly dryRun: boolean;
  /** ORed; none at all never matches. */
  readonly rules: readonly L7Rule[];
};

/** `from`, `to` and every `when` are ANDed; entries of a list are ORed; an absent list asks for nothing. */
export type L7Rule = {
  readonly from?: readonly L7Source[];
  readonly to?: readonly L7Operation[];
  readonly when?: readonly L7Condition[];
};

/** Strings: `*` presence, `x*` prefix, `*x` suffix, else exact. Fields are ANDed, values of a field ORed. */
export type L7Source = {
  readonly principals?: readonly string[];
  readonly notPrincipals?: readonly string[];
  readonly requestPrincipals?: readonly string[];
  readonly notRequestPrincipals?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly notNamespaces?: readonly string[];
  readonly serviceAccounts?: readonly string[];
  readonly notServiceAccounts?: readonly string[];
  readonly trustDomains?: readonly string[];
  readonly notTrustDomains?: readonly string[];
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
  readonly remoteIpBlocks?: readonly string[];
  readonly notRemoteIpBlocks?: readonly string[];
};

export type L7Operation = {
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  readonly ports?: readonly string[];
  readonly notPorts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
};

export type L7Condition = { readonly key: string; readonly values?: readonly string[]; readonly notValues?: readonly string[] };
