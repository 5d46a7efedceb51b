/** Workload certificates as the dump shows them (l4-contract section 11.3): what is public of them, never a key. */
import { X509Certificate } from 'node:crypto';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Json } from '@clearmesh/shared/admin/json-answer';

/** One identity and how its certificate fares. */
export type CertificateStatus = {
  readonly identity: SpiffeId;
  /** `Initializing`, `Available` or `Unavailable: <why>`. */
  readonly state: string;
  /** PEM, leaf first; empty without a certificate. */
  readonly chain: readonly string[];
  readonly roots: readonly string[];
};

export function dumpCertificate({ identity, state, chain, roots }: CertificateStatus): Json {
  return { identity, state, certChain: chain.map(dumpPem), rootCerts: roots.map(dumpPem) };
}

function dumpPem(pem: string): Json {
  const { serialNumber, validFromDate, validToDate } = new X509Certificate(pem);
  return {
    pem: Buffer.from(pem).toString('base64'),
    serialNumber: BigInt(`0x${serialNumber}`).toString(),
    validFrom: seconds(validFromDate),
    expirationTime: seconds(validToDate),
  };
}

/** RFC 3339 without fractions, as certificates count. */
function seconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
