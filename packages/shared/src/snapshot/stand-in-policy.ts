/**
 * What stands for a policy that cannot be used and has no good version: it denies whatever that was meant for. A newer
 * control plane may send what this proxy does not understand, and protection must not go with the understanding.
 */
import type { Authorization } from '../model/authorization.ts';
import { policyKey } from '../model/names.ts';
import { aimOfAuthorization } from '../wire/authorization.ts';

/** By the resource's name, `namespace/name`; none for a dry-run policy, which never denied anything. */
export function standInPolicy(resource: string, value: Uint8Array): Authorization | undefined {
  const { scope, dryRun } = aimOfAuthorization(value);
  if (dryRun) return undefined;
  const slash = resource.indexOf('/');
  const namespace = resource.slice(0, Math.max(0, slash));
  const name = resource.slice(slash + 1);
  return { key: policyKey(namespace, name), name, namespace, scope, action: 'DENY', rules: [{ clauses: [] }], dryRun };
}
