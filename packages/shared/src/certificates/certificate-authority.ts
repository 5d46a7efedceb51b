import type { SpiffeId } from '../identity/spiffe.ts';

/** Signs certificates (section 4). */
export interface CertificateAuthority {
  /**
   * @param csrPem the request, whose one name is `identity`
   * @param validitySeconds lifetime asked for; the answer may be shorter
   * @returns PEM: first the leaf, last the bundle of roots, intermediates between
   */
  sign(
    csrPem: string,
    identity: SpiffeId,
    validitySeconds: number,
    signal: AbortSignal,
  ): Promise<{ readonly chain: readonly string[] }>;
}
