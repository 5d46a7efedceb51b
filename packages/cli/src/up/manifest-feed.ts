/** Feeds the kubelet from the directory: every good reading becomes its wish, every other one is told and changes nothing. */
import { stat } from 'node:fs/promises';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { DirectorySource } from '@clearmesh/control-plane/watch/directory-source';
import type { SourceEvent } from '@clearmesh/control-plane/watch/configuration-source';
import { ManifestDirectory } from '@clearmesh/control-plane/watch/manifest-directory';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { Kubelet } from './kubelet.ts';
import { ManifestErrors } from './manifest-errors.ts';
import { locateFindings, manifestRules, namedNodes } from './manifests.ts';
import { readWish } from './wish.ts';
import { noPlaces } from './waypoint-container.ts';
import type { WaypointPlaces } from './waypoint-container.ts';

export type ManifestFeedOptions = {
  readonly directory: string;
  readonly nodes: readonly string[];
  readonly kubelet: Pick<Kubelet, 'apply' | 'sandboxes'>;
  readonly waypoints: WaypointPlaces;
};

export type ManifestFeedDeps = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onProblems: (problems: readonly Problem[]) => void;
  /** Progress. */
  readonly say: (line: string) => void;
};

export class ManifestFeed implements AsyncDisposable {
  readonly #options: ManifestFeedOptions;
  readonly #deps: ManifestFeedDeps;
  readonly #source: DirectorySource;
  /** One reading after the other: locating a problem takes a while. */
  #last: Promise<void> = Promise.resolve();
  #refused = false;

  private constructor(options: ManifestFeedOptions, deps: ManifestFeedDeps, source: DirectorySource) {
    this.#options = options;
    this.#deps = deps;
    this.#source = source;
    source.onEvent((event) => {
      this.#last = this.#last.then(() => this.#recvReading(event));
    });
  }

  /** Reads once; the names of nodes in it, or {@link ManifestErrors}. */
  static async check(directory: string, signal: AbortSignal): Promise<readonly (string | undefined)[]> {
    const isDirectory = await stat(directory).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isDirectory)
      throw new MeshError('MESH-CONFIG-003', {
        message: `${directory} is not a directory`,
        hint: 'Name the directory of the manifests.',
      });
    const reading = await new ManifestDirectory({ directory, rules: manifestRules }).read(signal);
    if (reading.kind === 'rejected') throw new ManifestErrors(reading.problems);
    const named = namedNodes(reading.collections);
    const names = [...new Set(named.filter((name) => name !== undefined))];
    const nodes = names.length === 0 ? ['node-a'] : names;
    const wish = readWish(reading.collections, { nodes, current: new Map(), waypoints: noPlaces });
    if (!wish.ok) throw new ManifestErrors(await locateFindings(directory, wish.findings));
    return named;
  }

  /** Applies what is there, then every change; resolves after the first reading. */
  static async open(options: ManifestFeedOptions, deps: ManifestFeedDeps, signal: AbortSignal): Promise<ManifestFeed> {
    const source = await DirectorySource.open({ directory: options.directory, rules: manifestRules }, deps, signal);
    const feed = new ManifestFeed(options, deps, source);
    await source.start();
    await feed.#last;
    return feed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
    await this.#last;
  }

  async #recvReading(event: SourceEvent): Promise<void> {
    const { kubelet, nodes, directory, waypoints } = this.#options;
    if (event.kind === 'rejected') return this.#refuse(event.problems);
    const current = new Map(kubelet.sandboxes.map(({ spec }) => [spec.key, spec.nodeName]));
    const reading = readWish(event.collections, { nodes, current, waypoints });
    if (!reading.ok) return this.#refuse(await locateFindings(directory, reading.findings));
    kubelet.apply(reading.wish);
    if (this.#refused) this.#deps.say('the manifests are good again, and in force');
    this.#refused = false;
  }

  #refuse(problems: readonly Problem[]): void {
    this.#refused = true;
    this.#deps.onProblems(problems);
  }
}
