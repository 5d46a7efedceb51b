/** An OPA bundle as its files say it: the WASM module, the data, the revision. Pure. */
import { hash } from 'node:crypto';
import type { TarFile } from './tar.ts';
import { isRecord } from './is-record.ts';

export type OpaBundle = {
  readonly wasm: Uint8Array;
  /** JSON text of `data`. */
  readonly data: string;
  /** The manifest's, and a digest of the files: data may change without a new revision. */
  readonly revision: string;
};

export type BundleReading =
  | { readonly kind: 'bundle'; readonly bundle: OpaBundle }
  | { readonly kind: 'rejected'; readonly reason: string };

/** @param path of the rule that will be asked, which says which of several modules is meant */
export function readBundle(files: readonly TarFile[], path: string): BundleReading {
  const byName = new Map(files.map((file) => [file.name.replace(/^\.?\/+/, ''), file.bytes]));
  try {
    const manifest = readManifest(byName.get('.manifest'));
    const module = moduleOf(manifest, path);
    const wasm = byName.get(module);
    if (wasm === undefined) return rejected(`it has no ${module}; build it with opa build -t wasm`);
    const data = JSON.stringify(mergeData(byName));
    return { kind: 'bundle', bundle: { wasm, data, revision: revisionOf(manifest.revision, wasm, data) } };
  } catch (thrown) {
    if (thrown instanceof BundleError) return rejected(thrown.message);
    throw thrown;
  }
}

/** Inside this file only. */
class BundleError extends Error {}

type Manifest = {
  readonly revision: string;
  readonly modules: readonly { readonly entrypoint: string; readonly module: string }[];
};

function readManifest(bytes: Uint8Array | undefined): Manifest {
  if (bytes === undefined) return { revision: '', modules: [] };
  const manifest = parseJson('.manifest', bytes);
  if (!isRecord(manifest)) throw new BundleError('.manifest is no object');
  const { revision, wasm } = manifest;
  const modules = (Array.isArray(wasm) ? wasm : []).filter(isRecord).map(({ entrypoint, module }) => ({
    entrypoint: String(entrypoint),
    module: String(module).replace(/^\/+/, ''),
  }));
  return { revision: typeof revision === 'string' ? revision : '', modules };
}

function moduleOf({ modules }: Manifest, path: string): string {
  const named = modules.find(({ entrypoint }) => entrypoint === path);
  if (named !== undefined) return named.module;
  if (modules.length === 0) return 'policy.wasm';
  const entrypoints = modules.map(({ entrypoint }) => entrypoint).join(', ');
  throw new BundleError(`it has no entrypoint ${path}, but ${entrypoints}; name it with opa build -e`);
}

/** `a/b/data.json` is `data.a.b`. */
function mergeData(files: ReadonlyMap<string, Uint8Array>): Readonly<Record<string, unknown>> {
  const data = emptyDocument();
  for (const name of [...files.keys()].sort()) {
    const folders = name.split('/').slice(0, -1);
    if (/(?:^|\/)data\.ya?ml$/.test(name)) throw new BundleError(`${name}: data is read as JSON only`);
    if (!/(?:^|\/)data\.json$/.test(name)) continue;
    const document = parseJson(name, files.get(name) ?? new Uint8Array());
    if (!isRecord(document)) throw new BundleError(`${name} is no object`);
    merge(folders.reduce(descend, data), document, name);
  }
  return data;
}

function descend(into: Record<string, unknown>, folder: string): Record<string, unknown> {
  const known = into[folder];
  if (isRecord(known)) return known;
  const made = emptyDocument();
  into[folder] = made;
  return made;
}

function merge(into: Record<string, unknown>, from: Readonly<Record<string, unknown>>, name: string): void {
  for (const [key, value] of Object.entries(from)) {
    const known = into[key];
    if (known === undefined) into[key] = value;
    else if (isRecord(known) && isRecord(value)) merge(known, value, name);
    else throw new BundleError(`${name} says ${key} a second time`);
  }
}

/** Without prototype, since keys are the writer's to choose. */
function emptyDocument(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function revisionOf(revision: string, wasm: Uint8Array, data: string): string {
  const digest = hash('sha256', `${hash('sha256', wasm)}${hash('sha256', data)}`).slice(0, 12);
  return revision === '' ? digest : `${revision}+${digest}`;
}

function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new BundleError(`${name} is no JSON`);
  }
}

function rejected(reason: string): BundleReading {
  return { kind: 'rejected', reason };
}
