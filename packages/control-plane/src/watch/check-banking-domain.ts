/** What a schema cannot say of a BankingDomain. */
import { checkResilience } from './check-resilience.ts';
import type { BankingDomainManifest } from '../manifest/banking-domain.ts';
import type { Finding } from '@clearmesh/shared/document/finding';

export function checkBankingDomain(
  { spec }: BankingDomainManifest,
  rules: { readonly rootNamespace: string },
): readonly Finding[] {
  const { namespaces, waypoint, criticality, defaults } = spec;
  const found: Finding[] = [];
  if (namespaces.length === 0)
    found.push({ path: ['spec', 'namespaces'], message: 'is empty', remedy: 'Name a namespace, or remove the domain.' });
  for (const [index, name] of namespaces.entries()) {
    const path = ['spec', 'namespaces', index];
    if (namespaces.indexOf(name) < index)
      found.push({ path, value: name, message: 'is named twice', remedy: 'Name each namespace once.' });
    // What holds there holds for the whole mesh.
    if (name === rules.rootNamespace)
      found.push({ path, value: name, message: 'is the root namespace, which belongs to no domain', remedy: 'Remove it.' });
  }
  if (waypoint === undefined) {
    const needs = { message: 'has no effect without a waypoint', remedy: 'Add spec.waypoint, or remove it.' };
    if (criticality !== undefined) found.push({ path: ['spec', 'criticality'], value: criticality, ...needs });
    if (defaults?.resilience !== undefined) found.push({ path: ['spec', 'defaults', 'resilience'], ...needs });
  }
  if (waypoint?.name === 'none') {
    const remedy = 'Name a Gateway, or leave spec.waypoint out.';
    found.push({ path: ['spec', 'waypoint', 'name'], value: 'none', message: 'means that there is no waypoint', remedy });
  }
  const { resilience } = defaults ?? {};
  if (resilience === undefined) return found;
  const inner = checkResilience({ ...resilience, targetRefs: [] });
  return [...found, ...inner.map((each) => ({ ...each, path: ['spec', 'defaults', 'resilience', ...each.path.slice(1)] }))];
}
