/**
 * Our entry in the node's network configuration (CNI specification 1.1.0, section 1): text in, text out. Pure.
 *
 * L1  everything else in the file stays as it is; the entry stands last, or where somebody has put it.
 * L2  a file of one plugin becomes a list under the same name with `.conflist`; taken away again, it becomes what it was.
 * L3  what cannot be read is not written.
 */
import { supportedVersions } from '../plugin/invocation.ts';

export const PLUGIN_TYPE = 'clearmesh-cni';

/** The keys of our entry that invocation.ts reads. */
export type PluginEntry = {
  readonly socket: string;
  readonly excludeNamespaces: readonly string[];
  readonly systemNamespace: string;
};

export type Edit =
  | { readonly kind: 'unchanged' }
  /** Write `text` as `fileName`; then remove `obsolete`, if there is one. */
  | { readonly kind: 'write'; readonly fileName: string; readonly text: string; readonly obsolete?: string }
  /** A person has to mend it. */
  | { readonly kind: 'unusable'; readonly reason: string };

type Json = { readonly [key: string]: unknown };

const single = /\.(?:conf|json)$/;

/** The file that the container runtime takes: the first by name, of those with an extension it knows. */
export function activeFile(names: readonly string[], wanted: string): string | undefined {
  const candidates = names.filter((name) => /\.(?:conf|conflist|json)$/.test(name) && !name.startsWith('.')).sort();
  if (wanted === '') return candidates[0];
  return candidates.find((name) => name === wanted || name === `${wanted.replace(single, '')}.conflist`);
}

/** The file with our entry in it, as `entry` says. */
export function withEntry(fileName: string, text: string, entry: PluginEntry): Edit {
  const reading = read(text);
  if (typeof reading === 'string') return { kind: 'unusable', reason: reading };
  const isSingle = !Array.isArray(reading['plugins']);
  const list = isSingle ? listOf(reading) : reading;
  const version = list['cniVersion'];
  if (typeof version !== 'string' || !supportedVersions.includes(version)) {
    const reason = `its cniVersion is ${JSON.stringify(version) ?? 'missing'}; plugins can follow one another in ${supportedVersions.join(', ')}`;
    return { kind: 'unusable', reason };
  }
  const plugins = list['plugins'] as readonly unknown[];
  if (plugins.every(isOurs)) return { kind: 'unusable', reason: 'it has no plugin that makes a network' };
  const known = plugins.find(isOurs);
  const origin = isSingle ? fileName : (known as Json | undefined)?.['convertedFrom'];
  const wanted = { type: PLUGIN_TYPE, ...entry, ...(typeof origin === 'string' ? { convertedFrom: origin } : {}) };
  if (known !== undefined && sameValue(known, wanted)) return { kind: 'unchanged' };
  const rest = plugins.filter((plugin) => plugin === known || !isOurs(plugin));
  const next = known === undefined ? [...rest, wanted] : rest.map((plugin) => (plugin === known ? wanted : plugin));
  const written = { kind: 'write', text: format({ ...list, plugins: next }) } as const;
  if (!isSingle) return { ...written, fileName };
  return { ...written, fileName: fileName.replace(single, '.conflist'), obsolete: fileName };
}

/** The file without our entry. */
export function withoutEntry(fileName: string, text: string): Edit {
  const reading = read(text);
  if (typeof reading === 'string') return { kind: 'unusable', reason: reading };
  const { plugins } = reading;
  if (!Array.isArray(plugins) || !plugins.some(isOurs)) return { kind: 'unchanged' };
  const rest: readonly unknown[] = plugins.filter((plugin) => !isOurs(plugin));
  const origin = (plugins.find(isOurs) as Json)['convertedFrom'];
  const [only] = rest;
  if (typeof origin !== 'string' || !/^[^/]+$/.test(origin) || rest.length !== 1 || !isRecord(only)) {
    return { kind: 'write', fileName, text: format({ ...reading, plugins: rest }) };
  }
  const { plugins: _plugins, ...head } = reading;
  return { kind: 'write', fileName: origin, text: format({ ...head, ...only }), obsolete: fileName };
}

function listOf({ cniVersion, name, ...plugin }: Json): Json {
  return { cniVersion, name, plugins: [plugin] };
}

/** The object, or why it is none. */
function read(text: string): Json | string {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return 'it is not a JSON object';
    if (!Array.isArray(value['plugins']) && typeof value['type'] !== 'string') return 'it has neither plugins nor a type';
    return value;
  } catch (error) {
    return `it is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function isOurs(plugin: unknown): boolean {
  return isRecord(plugin) && plugin['type'] === PLUGIN_TYPE;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equal whatever the order of keys; lists are compared in theirs. */
function sameValue(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right));
}

function sorted(value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function format(value: Json): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
