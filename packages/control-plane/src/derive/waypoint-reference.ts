/** Which waypoint an object names, or its namespace for it (control-plane-contract section 1.3). */
import type { Metadata } from '../manifest/metadata.ts';

export const useWaypointLabel = 'istio.io/use-waypoint';
export const useWaypointNamespaceLabel = 'istio.io/use-waypoint-namespace';
const canaryLabel = 'istio.io/use-waypoint-canary';
const canaryNamespaceLabel = 'istio.io/use-waypoint-canary-namespace';
/** Annotation: how much of the traffic the canary takes, in percent. @default 0 */
export const canaryWeightAnnotation = 'istio.io/use-waypoint-canary-weight';

/** Where a waypoint may be named. */
export type Level = Pick<Metadata, 'labels' | 'annotations'>;

export type Reference = { readonly name: string; readonly namespace: string; readonly own: boolean };

/** `weight` absent: what is written is no number from 0 to 100. */
export type CanaryReference = { readonly name: string; readonly namespace: string; readonly weight?: number };

export type References = { readonly primary: Reference; readonly canary?: CanaryReference };

/** The own label decides, else the namespace's; a canary stands on the level of its primary. */
export function referencesOf(own: Level, inherited: Level, namespace: string): References | undefined {
  const level = (own.labels?.[useWaypointLabel] ?? '') === '' ? inherited : own;
  const { labels = {} } = level;
  const name = labels[useWaypointLabel] ?? '';
  if (name === '' || name === 'none') return undefined;
  const primary = { name, namespace: labels[useWaypointNamespaceLabel] || namespace, own: level === own };
  const canary = labels[canaryLabel] ?? '';
  if (canary === '') return { primary };
  const weight = weightOf(level);
  const place = { name: canary, namespace: labels[canaryNamespaceLabel] || namespace };
  return { primary, canary: weight === undefined ? place : { ...place, weight } };
}

function weightOf({ annotations }: Level): number | undefined {
  const text = annotations?.[canaryWeightAnnotation] ?? '0';
  return /^(?:100|[1-9]?\d)$/.test(text) ? Number(text) : undefined;
}
