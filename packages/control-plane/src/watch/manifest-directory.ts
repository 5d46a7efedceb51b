/**
 * The directory as one value: all of it is good, or none of it is taken.
 * Files that did not change are not parsed again; a parse is by far the dearest step of a change.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { withGatewayPods } from '../deploy/gateway-pods.ts';
import { collect } from '../manifest/collections.ts';
import { checkContradictions, titleOf } from './check-contradictions.ts';
import { checkSurroundings } from './check-surroundings.ts';
import { findingProblem } from '@clearmesh/shared/document/document-problem';
import { parseManifestFile } from './manifest-file.ts';
import { objectName } from '../manifest/collections.ts';
import { withDeparting } from './departing-pods.ts';
import { parseStatusFile, withFacts } from './status-file.ts';
import type { Collections } from '../manifest/collections.ts';
import type { OpaPolicyManifest } from '../manifest/opa-policy.ts';
import type { PodManifest } from '../manifest/pod.ts';
import type { LoadedObject, ManifestFile } from './manifest-file.ts';
import type { PeerAuthenticationRules } from './check-peer-authentication.ts';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { StatusFile } from './status-file.ts';

export type ManifestDirectoryOptions = {
  /** Every `*.yaml` and `*.yml` below it is read; names that begin with a dot are not. */
  readonly directory: string;
  /** What kubelet and node agent know of pods. @default none */
  readonly statusFile?: string;
  readonly rules: PeerAuthenticationRules;
  /** @default 20 000 */
  readonly maxFiles?: number;
  /** Bytes. @default 8 MiB */
  readonly maxFileBytes?: number;
};

export type DirectoryReading =
  | { readonly kind: 'taken'; readonly collections: Collections; readonly files: number; readonly objects: number }
  | { readonly kind: 'rejected'; readonly problems: readonly Problem[] };

/** Levels of folders below the directory; links that lead in a circle end here. */
const maxDepth = 16;

type CachedFile = { readonly identity: string; readonly content: ManifestFile };

export class ManifestDirectory {
  readonly #options: ManifestDirectoryOptions;
  #cache = new Map<string, CachedFile>();
  /** The status file was there once. */
  #statusSeen = false;
  /** Of the last reading that was taken. */
  #pods: readonly PodManifest[] = [];

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
  }

  /** The file is read again next time, whatever its size and time say. */
  forget(file: string): void {
    this.#cache.delete(file);
  }

  async read(signal: AbortSignal): Promise<DirectoryReading> {
    try {
      const names = (await this.#names(this.#options.directory, 0)).sort();
      const files = await this.#contents(names, signal);
      const status = await this.#status();
      if (status.kind === 'rejected')
        return { kind: 'rejected', problems: [...files.flatMap((f) => f.problems), ...status.problems] };
      return this.#remembered(combine(this.#options.directory, files, status.status), status.status);
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'rejected', problems: [fileProblem(this.#options.directory, error)] };
    }
  }

  #remembered(reading: DirectoryReading, status: StatusFile): DirectoryReading {
    if (reading.kind === 'rejected') return reading;
    const collections = withDeparting(reading.collections, this.#pods, status, new Date().toISOString());
    this.#pods = collections.pods;
    return { ...reading, collections };
  }

  async #names(directory: string, depth: number): Promise<string[]> {
    const entries = (await readdir(directory, { withFileTypes: true })).filter((entry) => !entry.name.startsWith('.'));
    const names: string[] = [];
    for (const entry of entries) {
      const path = join(directory, entry.name);
      const isManifest = /\.ya?ml$/.test(entry.name) && path !== this.#options.statusFile;
      if (entry.isDirectory() || (entry.isSymbolicLink() && (await stat(path)).isDirectory())) {
        if (depth >= maxDepth) throw new Error(`${path}: folders are nested deeper than ${maxDepth}`);
        names.push(...(await this.#names(path, depth + 1)));
      } else if (isManifest) names.push(path);
    }
    const limit = this.#options.maxFiles ?? 20_000;
    if (names.length > limit) throw new Error(`more than ${limit} files`);
    return names;
  }

  async #contents(names: readonly string[], signal: AbortSignal): Promise<readonly ManifestFile[]> {
    const next = new Map<string, CachedFile>();
    for (const name of names) {
      signal.throwIfAborted();
      next.set(name, await this.#content(name));
    }
    this.#cache = next;
    return [...next.values()].map((file) => file.content);
  }

  async #content(file: string): Promise<CachedFile> {
    try {
      const { dev, ino, size, mtimeNs, isFile } = await this.#facts(file);
      const identity = `${dev}:${ino}:${size}:${mtimeNs}`;
      const cached = this.#cache.get(file);
      if (cached?.identity === identity) return cached;
      // A pipe would block for ever, a device would never end.
      if (!isFile) throw new Error('is not a regular file');
      const limit = this.#options.maxFileBytes ?? 8 * 1024 * 1024;
      if (size > limit) throw new Error(`is larger than ${limit} bytes`);
      return { identity, content: parseManifestFile(file, await readFile(file, 'utf8'), this.#options.rules) };
    } catch (error) {
      return { identity: '', content: { objects: [], problems: [fileProblem(file, error)] } };
    }
  }

  async #facts(file: string): Promise<{ dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint; isFile: boolean }> {
    const stats = await stat(file, { bigint: true });
    return { dev: stats.dev, ino: stats.ino, size: stats.size, mtimeNs: stats.mtimeNs, isFile: stats.isFile() };
  }

  async #status(): Promise<ReturnType<typeof parseStatusFile>> {
    const { statusFile } = this.#options;
    if (statusFile === undefined) return { kind: 'status', status: new Map() };
    try {
      const text = await readFile(statusFile, 'utf8');
      this.#statusSeen = true;
      return parseStatusFile(statusFile, text);
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      // Before its writer started nothing is known of pods; a file that vanished says nothing about them.
      if (missing && !this.#statusSeen) return { kind: 'status', status: new Map() };
      if (missing) return { kind: 'rejected', problems: [vanished(statusFile)] };
      return { kind: 'rejected', problems: [fileProblem(statusFile, error)] };
    }
  }
}

function combine(directory: string, files: readonly ManifestFile[], status: StatusFile): DirectoryReading {
  const objects = files.flatMap((file) => file.objects).map((object) => merged(object, status, directory));
  const problems = [...files.flatMap((file) => file.problems), ...contradictions(objects), ...misplacements(objects)];
  if (objects.length === 0 && problems.length === 0) problems.push(nothingThere(directory));
  if (problems.length > 0) return { kind: 'rejected', problems };
  const collections = collect(objects.map((object) => object.manifest));
  return {
    kind: 'taken',
    collections: withImplied(collections, status),
    files: files.length,
    objects: objects.length,
  };
}

function contradictions(objects: readonly LoadedObject[]): readonly Problem[] {
  return checkContradictions(objects).map(({ at, other, finding }) => {
    const { line } = other.locate(finding.path);
    const where = { ...finding, message: `${finding.message} (${other.file}:${line})` };
    return findingProblem(where, 'MESH-CONFIG-002', at.file, titleOf(at.manifest), at.locate);
  });
}

function misplacements(objects: readonly LoadedObject[]): readonly Problem[] {
  return checkSurroundings(objects).map(({ at, finding }) =>
    findingProblem(finding, 'MESH-CONFIG-002', at.file, titleOf(at.manifest), at.locate),
  );
}

/** With what follows from Gateways; the pods among it are told of by whoever runs them, as others are. */
function withImplied(collections: Collections, status: StatusFile): Collections {
  const written = new Set(collections.pods);
  const whole = withGatewayPods(collections);
  const pods = whole.pods.map((pod) => (written.has(pod) ? pod : withFacts(pod, status.get(objectName(pod.metadata)))));
  return { ...whole, pods };
}

function merged(object: LoadedObject, status: StatusFile, directory: string): LoadedObject {
  const { manifest } = object;
  if (manifest.kind === 'OpaPolicy')
    return { ...object, manifest: { kind: 'OpaPolicy', value: located(manifest.value, directory) } };
  if (manifest.kind !== 'Pod') return object;
  return {
    ...object,
    manifest: { kind: 'Pod', value: withFacts(manifest.value, status.get(objectName(manifest.value.metadata))) },
  };
}

/** A bundle beside the manifests is written as such; a waypoint runs elsewhere, and needs the whole path. */
function located(policy: OpaPolicyManifest, directory: string): OpaPolicyManifest {
  const { wasm } = policy.spec.engine;
  if (wasm === undefined) return policy;
  const bundle = resolve(directory, wasm.bundle);
  return { ...policy, spec: { ...policy.spec, engine: { ...policy.spec.engine, wasm: { ...wasm, bundle } } } };
}

function fileProblem(file: string, error: unknown): Problem {
  return problemOf(file, error instanceof Error ? error.message : String(error), 'Make it readable, or remove it.');
}

/** A volume that is not mounted yet looks like this, and what it would publish makes every proxy forget every workload. */
function nothingThere(directory: string): Problem {
  const remedy = 'Put the manifests there. For a mesh without workloads on purpose, leave one Namespace.';
  return problemOf(directory, 'holds no object, and an empty mesh is not published', remedy);
}

function vanished(statusFile: string): Problem {
  return problemOf(statusFile, 'has vanished', 'Have its writer write it again, or start the control plane anew without it.');
}

function problemOf(file: string, message: string, remedy: string): Problem {
  return { code: 'MESH-CONFIG-001', file, line: 1, column: 1, object: '', field: '', value: '', message, remedy };
}
