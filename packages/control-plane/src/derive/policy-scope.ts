/** Whom a policy concerns (control-plane-contract section 2.5, attachment). */
import { policyKey } from '@clearmesh/shared/model/names';
import type { PolicyScope } from '@clearmesh/shared/model/authorization';
import type { PolicyKey } from '@clearmesh/shared/model/names';
import { SelectorIndex } from './selector-index.ts';
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
  readonly #index = new SelectorIndex<PolicyKey>();
  readonly #rootNamespace: string;

  constructor(policies: readonly AuthorizationPolicyManifest[], options: DeriveOptions) {
    this.#rootNamespace = options.rootNamespace;
    for (const policy of policies) {
      const { name, namespace } = policy.metadata;
      const matchLabels = policy.spec?.selector?.matchLabels;
      if (matchLabels !== undefined) this.#index.add(namespace, matchLabels, policyKey(namespace, name));
    }
  }

  /** Keys of the policies whose selector fits, in no particular order. */
  matching(namespace: string, labels: Labels | undefined): readonly PolicyKey[] {
    const own = this.#index.matching(namespace, labels);
    return namespace === this.#rootNamespace ? own : [...own, ...this.#index.matching(this.#rootNamespace, labels)];
  }
}
