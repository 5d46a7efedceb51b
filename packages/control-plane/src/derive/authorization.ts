/** AuthorizationPolicy to Authorization (control-plane-contract section 2.5). */
import { policyKey } from '@clearmesh/shared/model/names';
import type { Authorization, PolicyAction } from '@clearmesh/shared/model/authorization';
import { targetsOf } from '../manifest/target-ref.ts';
import { convertRule } from './policy-rule.ts';
import { scopeOf } from './policy-scope.ts';
import type { AuthorizationPolicyManifest } from '../manifest/authorization-policy.ts';
import type { Note } from './mesh-model.ts';
import type { DeriveOptions } from './options.ts';

export type ConvertedPolicy = { readonly policy?: Authorization; readonly notes: readonly Note[] };

/** The policy as the node proxies enforce it; none when it concerns them not at all. */
export function convertAuthorizationPolicy(manifest: AuthorizationPolicyManifest, options: DeriveOptions): ConvertedPolicy {
  const { name, namespace } = manifest.metadata;
  const { action = 'ALLOW', selector, rules = [] } = manifest.spec ?? {};
  // Bound to a waypoint: no business of layer 4. Only what stands for another may have a selector beside its targets.
  const both = manifest.standIn !== undefined && selector !== undefined;
  if (targetsOf(manifest.spec ?? {}).length > 0 && !both) return { notes: [] };
  if (action === 'AUDIT' || action === 'CUSTOM') return { notes: [] };
  const dryRun = isDryRun(manifest);
  if (dryRun && options.dryRun === 'withhold') return { notes: [] };
  const converted = rules.map((rule) => convertRule(rule, action, namespace, options));
  return {
    policy: {
      key: policyKey(namespace, name),
      name,
      namespace,
      scope: scopeOf(manifest, options),
      action,
      rules: converted.flatMap((rule) => rule.rules),
      dryRun,
    },
    notes: converted.flatMap((rule, index) => {
      if (rule.layer7.length === 0) return [];
      const unseen = `spec.rules[${index}]: the node proxy cannot see ${rule.layer7.join(', ')}`;
      return [{ object: `AuthorizationPolicy ${namespace}/${name}`, message: `${unseen}; ${effectOf(action, options)}` }];
    }),
  };
}

/** Go's ParseBool, as upstream; anything else counts as false, so that a typing error enforces. */
export function isDryRun(manifest: AuthorizationPolicyManifest): boolean {
  const value = manifest.metadata.annotations?.['istio.io/dry-run'] ?? 'false';
  return ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value);
}

function effectOf(action: PolicyAction, options: DeriveOptions): string {
  if (action === 'ALLOW') return 'the rule allows nothing there, and what no other rule allows is denied';
  return options.l7Deny === 'upstream'
    ? 'the rule denies there only if something else is left of it'
    : 'all that the rest of the rule matches is denied there';
}
