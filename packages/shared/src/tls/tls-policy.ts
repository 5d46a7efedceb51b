/** What an operator may ask of all TLS of a proxy, beyond what it does by itself (l4-contract section 2.6). */

/** Which key exchanges there are; each choice is a subset of the first. */
export type KeyExchange =
  /** X25519MLKEM768 first, with X25519, P-256 and P-384 behind it. */
  | 'any'
  /** X25519MLKEM768 alone: a peer without it is refused. */
  | 'post-quantum'
  /** P-256 and P-384 alone, which FIPS 140-2 modules have. */
  | 'nist-curves';

export type TlsPolicy = {
  /** TLS 1.2 beside 1.3, with AES-GCM and ephemeral keys only. @default false */
  readonly tls12: boolean;
  /** @default any */
  readonly keyExchange: KeyExchange;
};

export const defaultTlsPolicy: TlsPolicy = { tls12: false, keyExchange: 'any' };
