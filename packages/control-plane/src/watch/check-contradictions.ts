/** What no object shows alone: two of one name, two pods on one address, two services on one. */
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { objectName } from '../manifest/collections.ts';
import { isFinished, podAddresses } from '../manifest/pod.ts';
import { clusterIps } from '../manifest/service.ts';
import type { Manifest } from '../manifest/collections.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

/** Something only one object may have. */
type Claim = {
  readonly key: string;
  readonly path: FieldPath;
  readonly value: string;
  readonly what: string;
  readonly remedy: string;
};

/** A finding at the later object; `other` is the one that came first. */
export type Contradiction<T> = { readonly at: T; readonly other: T; readonly finding: Finding };

/** In the order given: files by name, documents by place. */
export function checkContradictions<T extends { readonly manifest: Manifest }>(
  objects: readonly T[],
): readonly Contradiction<T>[] {
  const first = new Map<string, T>();
  return objects.flatMap((object) =>
    claimsOf(object.manifest).flatMap((claim): readonly Contradiction<T>[] => {
      const other = first.get(claim.key);
      if (other === undefined) {
        first.set(claim.key, object);
        return [];
      }
      // A pod that lists one address twice contradicts nobody.
      if (other === object) return [];
      const { path, value, what, remedy } = claim;
      return [{ at: object, other, finding: { path, value, message: `${what} ${titleOf(other.manifest)}`, remedy } }];
    }),
  );
}

/** Kind and name, such as `Pod payments/payments-0`. */
export function titleOf(manifest: Manifest): string {
  return `${manifest.kind} ${objectName(manifest.value.metadata)}`;
}

function claimsOf(manifest: Manifest): readonly Claim[] {
  const name: Claim = {
    key: titleOf(manifest),
    path: ['metadata', 'name'],
    value: objectName(manifest.value.metadata),
    what: 'is already taken by another',
    remedy: 'Rename or remove one of the two.',
  };
  return [name, ...addressClaims(manifest), ...domainClaims(manifest)];
}

function addressClaims(manifest: Manifest): readonly Claim[] {
  if (manifest.kind === 'Service') {
    const { value } = manifest;
    const path = value.spec?.clusterIPs === undefined ? ['spec', 'clusterIP'] : ['spec', 'clusterIPs'];
    return value.spec?.type === 'ExternalName'
      ? []
      : clusterIps(value).map((ip) => addressClaim('vip', path, ip, 'Give each service an address of its own.'));
  }
  if (manifest.kind !== 'Pod') return [];
  const { value } = manifest;
  // Pods on the host network share the node's address; ended ones keep theirs on paper only.
  if (value.spec?.hostNetwork === true || isFinished(value)) return [];
  const path = value.status?.podIPs === undefined ? ['status', 'podIP'] : ['status', 'podIPs'];
  return podAddresses(value).map((ip) => addressClaim('pod', path, ip, 'Give each pod an address of its own.'));
}

function domainClaims(manifest: Manifest): readonly Claim[] {
  if (manifest.kind !== 'BankingDomain') return [];
  return manifest.value.spec.namespaces.map((value, index) => ({
    key: `domain of ${value}`,
    path: ['spec', 'namespaces', index],
    value,
    what: 'belongs already to',
    remedy: 'Let each namespace belong to one domain.',
  }));
}

function addressClaim(space: 'vip' | 'pod', path: FieldPath, ip: string, remedy: string): Claim {
  return { key: `${space} ${parseIp(ip) ?? ip}`, path, value: ip, what: 'is also the address of', remedy };
}
