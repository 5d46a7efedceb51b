/** Overlays: what users change of the objects that are made for a Gateway, and what they may not. */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { loosened } from './pod-rights.ts';
import { isMap, PatchError, strategicMerge } from './strategic-merge.ts';
import { classDefaultsLabel } from './waypoint-options.ts';
import { marks } from './object-metadata.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { Json, JsonMap } from './strategic-merge.ts';
import type { OverlayMap } from './waypoint-options.ts';

export const overlayKeys = ['serviceAccount', 'deployment', 'service', 'horizontalPodAutoscaler', 'podDisruptionBudget'] as const;
export type OverlayKey = (typeof overlayKeys)[number];

/** One key of one ConfigMap. */
export type Overlay = { readonly key: OverlayKey; readonly source: string; readonly patch: JsonMap };

type Invalid = { readonly kind: 'invalid'; readonly message: string };

type OverlaySources = { readonly rootNamespace: string; readonly overlays: ReadonlyMap<string, OverlayMap> };

/** In the order in which they are applied: defaults of the class, then what the Gateway names. */
export function findOverlays(
  gateway: GatewayManifest,
  sources: OverlaySources,
): { readonly kind: 'found'; readonly overlays: readonly Overlay[] } | Invalid {
  const maps = classDefaults(gateway, sources);
  const { parametersRef } = gateway.spec.infrastructure ?? {};
  if (parametersRef !== undefined) {
    const { group, kind, name } = parametersRef;
    if ((group !== '' && group !== 'core') || kind !== 'ConfigMap')
      return invalid('spec.infrastructure.parametersRef', `names a ${kind}`, 'Name a ConfigMap, with group: "".');
    const key = `${gateway.metadata.namespace}/${name}`;
    const named = sources.overlays.get(key);
    if (named === undefined)
      return invalid(
        'spec.infrastructure.parametersRef',
        `names ConfigMap ${key}, which does not exist`,
        'Create it, or remove the reference.',
      );
    maps.push(named);
  }
  const found = maps.flatMap((map) => overlayKeys.map((key) => readOverlay(map, key)));
  const wrong = found.find((each) => each?.kind === 'invalid');
  if (wrong?.kind === 'invalid') return wrong;
  return { kind: 'found', overlays: found.flatMap((each) => (each?.kind === 'read' ? [each.overlay] : [])) };
}

/** The object with every overlay of its key. */
export function overlaid(
  key: OverlayKey,
  base: KubernetesObject,
  overlays: readonly Overlay[],
): { readonly kind: 'merged'; readonly object: KubernetesObject } | Invalid {
  const made = base as unknown as JsonMap;
  let object = made;
  for (const { source, patch } of overlays.filter((each) => each.key === key)) {
    try {
      object = strategicMerge(object, patch);
    } catch (error) {
      if (!(error instanceof PatchError)) throw error;
      return invalid(`${source}, key ${key}, ${error.path}`, error.message, 'Write it as a strategic merge patch.');
    }
    const changed = identityChange(made, object);
    if (changed !== undefined)
      return invalid(`${source}, key ${key}, ${changed}`, 'must stay as it is: it ties the object to its Gateway', 'Remove it.');
    const loose = key === 'deployment' ? loosened(object) : undefined;
    if (loose !== undefined) return invalid(`${source}, key ${key}, ${loose.path}`, loose.message, 'Remove it.');
  }
  return { kind: 'merged', object: object as unknown as KubernetesObject };
}

function classDefaults(gateway: GatewayManifest, { rootNamespace, overlays }: OverlaySources): OverlayMap[] {
  return [...overlays.values()]
    .filter(({ metadata }) => metadata.namespace === rootNamespace)
    .filter(({ metadata }) => metadata.labels?.[classDefaultsLabel] === gateway.spec.gatewayClassName)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

function readOverlay(
  { metadata, data }: OverlayMap,
  key: OverlayKey,
): { readonly kind: 'read'; readonly overlay: Overlay } | Invalid | undefined {
  const text = data?.[key];
  if (text === undefined) return undefined;
  const source = `ConfigMap ${metadata.namespace}/${metadata.name}`;
  try {
    const patch = parse(text) as Json | undefined;
    // A key without content is an overlay that changes nothing: it asks for the object all the same.
    if (patch === null || patch === undefined) return { kind: 'read', overlay: { key, source, patch: {} } };
    if (isMap(patch)) return { kind: 'read', overlay: { key, source, patch } };
    return invalid(`${source}, key ${key}`, 'is no mapping', 'Write the fields to change, such as spec: { replicas: 2 }.');
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return invalid(`${source}, key ${key}`, `is no YAML: ${message}`, 'Mend the text.');
  }
}

/** What must not change, by path. */
const identity: readonly (readonly string[])[] = [
  ['apiVersion'],
  ['kind'],
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'ownerReferences'],
  ['spec', 'selector'],
  ['spec', 'scaleTargetRef'],
  ['spec', 'template', 'spec', 'serviceAccountName'],
  ...['istio.io/dataplane-mode', 'networking.istio.io/tunnel'].map((label) => ['spec', 'template', 'metadata', 'labels', label]),
];
const markedMetadata: readonly (readonly string[])[] = [['metadata'], ['spec', 'template', 'metadata']];

/** The path of the first part that is not as it was. */
function identityChange(base: JsonMap, object: JsonMap): string | undefined {
  const labels = markedMetadata.flatMap((path) => markNames.map((name) => [...path, 'labels', name]));
  const changed = [...identity, ...labels].find((path) => !isDeepStrictEqual(valueAt(base, path), valueAt(object, path)));
  return changed?.join('.');
}

const markNames = Object.keys(marks({ metadata: { name: '', namespace: '' }, spec: { gatewayClassName: '' } }));

export function valueAt(object: JsonMap, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((value, key) => (isMap(value) ? value[key] : undefined), object);
}

function invalid(where: string, message: string, remedy: string): Invalid {
  return { kind: 'invalid', message: `${where}: ${message}. ${remedy}` };
}
