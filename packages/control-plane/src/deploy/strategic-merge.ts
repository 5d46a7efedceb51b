/**
 * Strategic merge patches, as far as the kinds that are made for a Gateway need them: the merge that `kubectl patch` does by
 * default, where lists of named things are merged by name.
 *
 * M1  Maps are merged key by key; null removes a key. Lists are replaced, but for those of {@link mergeKeys}, whose items
 *     are merged where the key agrees and added where none does.
 * M2  `$patch: delete` removes an item or a map, `$patch: replace` sets it whole; `$retainKeys` keeps what it names.
 * M3  A directive that is not understood is an error: what it was to do would not be done.
 */

/** A value as YAML or JSON has it. */
export type Json = string | number | boolean | null | readonly Json[] | JsonMap;
export type JsonMap = { readonly [key: string]: Json };

/** A patch that cannot be carried out: where, and why. */
export class PatchError extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** Lists that are merged, by path without indexes: what tells two items apart (patchMergeKey of the Kubernetes API). */
const mergeKeys: ReadonlyMap<string, string> = new Map([
  ['imagePullSecrets', 'name'],
  ['secrets', 'name'],
  ['metadata.ownerReferences', 'uid'],
  ['spec.ports', 'port'],
  ...podMergeKeys('spec.template.spec'),
]);

function podMergeKeys(pod: string): readonly (readonly [string, string])[] {
  const ofContainers = ['containers', 'initContainers'].flatMap((list): readonly (readonly [string, string])[] => [
    [`${pod}.${list}`, 'name'],
    [`${pod}.${list}.ports`, 'containerPort'],
    [`${pod}.${list}.env`, 'name'],
    [`${pod}.${list}.volumeMounts`, 'mountPath'],
    [`${pod}.${list}.volumeDevices`, 'devicePath'],
  ]);
  return [
    ...ofContainers,
    [`${pod}.volumes`, 'name'],
    [`${pod}.imagePullSecrets`, 'name'],
    [`${pod}.hostAliases`, 'ip'],
    [`${pod}.resourceClaims`, 'name'],
    [`${pod}.schedulingGates`, 'name'],
    [`${pod}.topologySpreadConstraints`, 'topologyKey'],
  ];
}

/** `target` with the patch; throws {@link PatchError}. */
export function strategicMerge(target: JsonMap, patch: JsonMap): JsonMap {
  return mergeMaps(target, patch, '');
}

function mergeMaps(target: JsonMap, patch: JsonMap, path: string): JsonMap {
  const directive = patch['$patch'];
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw new PatchError(at(path, '$patch'), `must be delete, replace or merge, not ${JSON.stringify(directive)}`);
  const merged: Record<string, Json> = { ...retained(target, patch['$retainKeys'], path) };
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys') continue;
    // The order of merged lists is of no meaning for these kinds.
    if (key.startsWith('$setElementOrder/')) continue;
    if (key.startsWith('$')) throw new PatchError(at(path, key), 'is a directive that is not supported');
    const next = mergedValue(Object.hasOwn(merged, key) ? merged[key] : undefined, value, at(path, key));
    if (next === undefined) delete merged[key];
    else setOwn(merged, key, next);
  }
  return merged;
}

/** `undefined`: the key goes. */
function mergedValue(target: Json | undefined, patch: Json, path: string): Json | undefined {
  if (patch === null) return undefined;
  if (isMap(patch)) {
    if (patch['$patch'] === 'delete') return undefined;
    return isMap(target) ? mergeMaps(target, patch, path) : mergeMaps({}, patch, path);
  }
  if (!Array.isArray(patch)) return patch;
  const key = mergeKeys.get(path);
  const items = patch as readonly Json[];
  if (key === undefined) return items.map((item) => (isMap(item) ? withoutDirectives(item) : item));
  return mergeLists(Array.isArray(target) ? (target as readonly Json[]) : [], items, key, path);
}

function mergeLists(target: readonly Json[], patch: readonly Json[], key: string, path: string): readonly Json[] {
  const replaces = patch.some((item) => isMap(item) && item['$patch'] === 'replace' && item[key] === undefined);
  let merged: readonly Json[] = replaces ? [] : target;
  for (const item of patch) {
    if (!isMap(item)) throw new PatchError(path, `has an item that is no map: ${JSON.stringify(item)}`);
    const name = item[key];
    if (name === undefined && item['$patch'] === 'replace') continue;
    if (name === undefined) throw new PatchError(path, `has an item without ${key}, by which items are told apart`);
    const same = (other: Json): boolean => isMap(other) && other[key] === name;
    if (item['$patch'] === 'delete') merged = merged.filter((other) => !same(other));
    else if (merged.some(same))
      merged = merged.map((other) => (same(other) && isMap(other) ? mergeMaps(other, item, path) : other));
    else merged = [...merged, mergeMaps({}, item, path)];
  }
  return merged;
}

function retained(target: JsonMap, keys: Json | undefined, path: string): JsonMap {
  if (keys === undefined) return target;
  if (!Array.isArray(keys)) throw new PatchError(at(path, '$retainKeys'), 'must be a list of names');
  const kept = new Set(keys as readonly Json[]);
  return Object.fromEntries(Object.entries(target).filter(([key]) => kept.has(key)));
}

function withoutDirectives(value: JsonMap): JsonMap {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('$')));
}

export function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `__proto__` is a key like any other, and must not become the prototype. */
function setOwn(map: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
}

function at(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
