/** Targets of a policy that nobody would find. */
import { maxTargets, targetGroups } from '../manifest/target-ref.ts';
import { nearestName } from '@clearmesh/shared/document/nearest-name';
import type { TargetKind, TargetRefManifest } from '../manifest/target-ref.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';

export type TargetRules = {
  /** Namespace of the policy. */
  readonly namespace: string;
  readonly kinds: readonly TargetKind[];
  readonly rootNamespace: string;
};

/** Of a policy kind that has no other means to say whom it is for. */
export function checkRequiredTargets(targets: readonly TargetRefManifest[], rules: TargetRules): readonly Finding[] {
  const path = ['spec', 'targetRefs'];
  if (targets.length > 0) return checkTargets(targets, path, rules);
  const remedy = `Name what it is for: ${rules.kinds.join(', ')}.`;
  return [{ path, message: 'is empty, so that the policy would do nothing', remedy }];
}

/** @param path of the list */
export function checkTargets(targets: readonly TargetRefManifest[], path: FieldPath, rules: TargetRules): readonly Finding[] {
  const surplus = targets.length > maxTargets ? [tooMany(path, targets.length)] : [];
  return [...surplus, ...targets.flatMap((target, index) => checkTarget(target, [...path, index], rules))];
}

/** @param path of the reference itself */
export function checkTarget(target: TargetRefManifest, path: FieldPath, rules: TargetRules): readonly Finding[] {
  const kind = rules.kinds.find((known) => known === target.kind);
  if (kind === undefined) return [unknownKind(target.kind, path, rules)];
  const { group = targetGroups[kind], namespace = rules.namespace } = target;
  const found: Finding[] = [];
  if (group !== targetGroups[kind] && !(group === 'core' && targetGroups[kind] === '')) {
    const remedy = `Write ${targetGroups[kind] === '' ? '""' : targetGroups[kind]}.`;
    found.push({ path: [...path, 'group'], value: group, message: `is not the API group of ${kind}`, remedy });
  }
  if (namespace !== rules.namespace) {
    const remedy = 'Leave it out, and put the policy into the namespace of its target.';
    found.push({ path: [...path, 'namespace'], value: namespace, message: 'must be the own namespace', remedy });
  }
  if (kind === 'Namespace' && target.name !== rules.namespace) {
    const remedy = `Write ${rules.namespace}, or put the policy into the other namespace.`;
    found.push({ path: [...path, 'name'], value: target.name, message: 'must be the own namespace', remedy });
  }
  if (kind === 'GatewayClass' && rules.namespace !== rules.rootNamespace) {
    const remedy = `Put the policy into ${rules.rootNamespace}, or name a Gateway of the own namespace.`;
    found.push({ path: [...path, 'kind'], value: kind, message: 'may be named in the root namespace only', remedy });
  }
  return found;
}

function unknownKind(kind: string, path: FieldPath, { kinds }: TargetRules): Finding {
  const nearest = nearestName(kind, kinds);
  return {
    path: [...path, 'kind'],
    value: kind,
    message: `must be one of ${kinds.join(', ')}`,
    remedy: nearest === undefined ? `Write one of ${kinds.join(', ')}.` : `Did you mean ${nearest}?`,
  };
}

function tooMany(path: FieldPath, count: number): Finding {
  return {
    path,
    value: count,
    message: `has more than ${maxTargets} targets`,
    remedy: 'Write a second policy, or name the Gateway or the Namespace that holds them.',
  };
}
