/** Whom a policy concerns (control-plane-contract section 2.5, attachment). */
import { policyKey } from '@clearmesh/shared/model/names';
import type { PolicyScope } from '@clearmesh/shared/model/authorization';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import { hasLabels } from './labels.ts';
import type { AuthorizationPolicyManifest } from '../manifest/authorization-policy.ts';
import type { SelectorManifest } from '../manifest/policy-schema.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { DeriveOptions } from './options.ts';

export function scopeOf(policy: AuthorizationPolicyManifest, options: DeriveOptions): PolicyScope {
  if (effectiveSelector(policy.spec?.selector, options) !== undefined) return 'WORKLOAD_SELECTOR';
  return policy.metadata.namespace === options.rootNamespace ? 'GLOBAL' : 'NAMESPACE';
}

/** `selector: {}` names no workload upstream, so that a DENY written that way protects nothing; here it is no selector. */
function effectiveSelector(selector: SelectorManifest | undefined, options: DeriveOptions): SelectorManifest | undefined {
  return selector?.matchLabels === undefined && options.emptySelector === 'namespace-wide' ? undefined : selector;
}

/** Selector policies by namespace, so that a workload asks only its own and the root namespace's. */
export class SelectorPolicies {
  readonly #byNamespace = new Map<string, { readonly key: PolicyKey; readonly matchLabels: Labels }[]>();
  readonly #rootNamespace: string;

  constructor(policies: readonly AuthorizationPolicyManifest[], options: DeriveOptions) {
    this.#rootNamespace = options.rootNamespace;
    for (const policy of policies) {
      const { name, namespace } = policy.metadata;
      const matchLabels = policy.spec?.selector?.matchLabels;
      if (matchLabels === undefined) continue;
      const list = this.#byNamespace.get(namespace) ?? [];
      list.push({ key: policyKey(namespace, name), matchLabels });
      this.#byNamespace.set(namespace, list);
    }
  }

  /** Keys of the policies whose selector fits, in no particular order. */
  matching(namespace: string, labels: Labels | undefined): readonly PolicyKey[] {
    const namespaces = new Set([namespace, this.#rootNamespace]);
    return [...namespaces].flatMap((ns) =>
      (this.#byNamespace.get(ns) ?? []).flatMap((entry) => (hasLabels(labels, entry.matchLabels) ? [entry.key] : [])),
    );
  }
}
