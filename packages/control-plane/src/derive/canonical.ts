/** The names telemetry groups by; a label that is present but empty wins, as upstream (control-plane-contract section 2.3). */
import type { Labels } from '../manifest/metadata.ts';

export type Canonical = { readonly name: string; readonly revision: string };

export function canonicalOf(labels: Labels | undefined, workloadName: string): Canonical {
  return {
    name: firstOf(labels, ['service.istio.io/canonical-name', 'app.kubernetes.io/name', 'app']) ?? workloadName,
    revision: firstOf(labels, ['service.istio.io/canonical-revision', 'app.kubernetes.io/version', 'version']) ?? 'latest',
  };
}

function firstOf(labels: Labels | undefined, keys: readonly string[]): string | undefined {
  return keys.map((key) => labels?.[key]).find((value) => value !== undefined);
}
