/**
 * How another authority takes over while proxies are at work. Safe is: add the new root beside the old one; sign below the
 * new one; take the old one away. Each step leaves certificates that are in use verifiable for everybody who has heard of the
 * step before it.
 *
 * S1  a new signer stands below a root that the mesh has been told to trust for a while: proxies hear of roots by a mounted
 *     ConfigMap, which takes the kubelet up to two minutes. A new root that comes with its signer is given out first.
 * S2  the root of the signer until now stays: what it signed an hour ago is in use.
 * S3  a root that no signer stands on any more may go, which refuses whatever is left below it.
 */
import { X509Certificate } from 'node:crypto';
import { splitPemBundle } from '@clearmesh/shared/identity/certificate';
import type { RootAuthority } from '@clearmesh/shared/certify/root-authority';

/** From when proxies count as having heard of a root, milliseconds after it was given out. */
export const settleMs = 300_000;

export type Succession =
  | { readonly kind: 'same' }
  /** The authority to be in force from now on: the offered one, or (S1) the signer until now with the roots of the offered one. */
  | {
      readonly kind: 'adopt';
      readonly authority: RootAuthority;
      readonly added: readonly string[];
      readonly dropped: readonly string[];
    }
  /** S1, in time: ask again. */
  | { readonly kind: 'wait'; readonly forMs: number }
  /** S2. */
  | { readonly kind: 'refuse'; readonly reason: string };

export type SuccessionFacts = {
  readonly inForce: RootAuthority;
  readonly offered: RootAuthority;
  /** By fingerprint: since when each root in force has been given out, by the monotonic clock; none when since always. */
  readonly givenOutMs: ReadonlyMap<string, number>;
  readonly nowMs: number;
};

export function decideSuccession({ inForce, offered, givenOutMs, nowMs }: SuccessionFacts): Succession {
  if (describe(inForce) === describe(offered)) return { kind: 'same' };
  const before = fingerprints(inForce);
  const after = fingerprints(offered);
  if (!anchorsOf(inForce).some((root) => after.has(root)))
    return {
      kind: 'refuse',
      reason: 'root-cert.pem lacks the root of certificates in use: keep it there until the last of them has ended',
    };
  const change = { kind: 'adopt', added: [...after.difference(before)], dropped: [...before.difference(after)] } as const;
  if (signerOf(inForce) === signerOf(offered)) return { ...change, authority: offered };
  const trusted = anchorsOf(offered).filter((root) => before.has(root));
  if (trusted.length === 0) return { ...change, authority: { ...inForce, rootPem: offered.rootPem } };
  const soonestMs = Math.min(...trusted.map((root) => givenOutMs.get(root) ?? -Infinity)) + settleMs;
  return soonestMs > nowMs ? { kind: 'wait', forMs: soonestMs - nowMs } : { ...change, authority: offered };
}

/** SHA-256, as `openssl x509 -fingerprint -sha256` shows it. */
function fingerprints({ rootPem }: RootAuthority): ReadonlySet<string> {
  return new Set(splitPemBundle(rootPem).map((pem) => new X509Certificate(pem).fingerprint256));
}

/** The roots that the signer stands on: several where one is cross-signed. */
function anchorsOf(authority: RootAuthority): readonly string[] {
  const last = new X509Certificate(authority.intermediates.at(-1) ?? authority.certificate.toString('pem'));
  return splitPemBundle(authority.rootPem)
    .map((pem) => new X509Certificate(pem))
    .filter((root) => last.fingerprint256 === root.fingerprint256 || (last.checkIssued(root) && last.verify(root.publicKey)))
    .map(({ fingerprint256 }) => fingerprint256);
}

/** With what stands above it: a signer that was cross-signed is another one to whoever verifies. */
function signerOf({ certificate, intermediates }: RootAuthority): string {
  return [certificate.toString('base64'), ...intermediates].join();
}

/** Equal for two that make no difference to anybody. */
function describe(authority: RootAuthority): string {
  return [signerOf(authority), ...[...fingerprints(authority)].sort()].join();
}
