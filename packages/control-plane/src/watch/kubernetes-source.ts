/**
 * The Kubernetes API as a source of collections: an informer a kind, and one configuration of all that they know.
 *
 * In: lists and watches. Out: {@link SourceEvent}s, in order.
 * C1  Nothing is told before every kind that the cluster has was listed: half a cluster would make proxies forget the
 *     other half, and a mesh without its policies would be an open one.
 * C2  Whatever happens to the API server, what was told last stays.
 * C3  Changes come in bursts: they are told after 100 ms of quiet, at latest 10 s after the first (contract section 2.1).
 *     What changes nothing that is read, such as the status of a Node, is told to nobody.
 */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { Informer } from '../kubernetes/informer.ts';
import { Debounce } from '../lifecycle/debounce.ts';
import { clusterSnapshot } from './cluster-snapshot.ts';
import { readClusterObject } from './cluster-object.ts';
import { ObjectStore } from './object-store.ts';
import { WatchHealth } from './watch-health.ts';
import { watchedKinds } from './watched-resources.ts';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { WatchState } from '../kubernetes/informer.ts';
import type { ConfigurationSource, SourceEvent } from './configuration-source.ts';
import type { ClusterObject } from './cluster-object.ts';
import type { Resource } from '../kubernetes/resource.ts';
import type { ChangeWeight, StoredObject } from './object-store.ts';
import type { PeerAuthenticationRules } from './check-peer-authentication.ts';
import type { WatchedKind } from './watched-resources.ts';

export type KubernetesSourceOptions = {
  readonly rules: PeerAuthenticationRules;
  /** Milliseconds without a change before the configuration is told. @default 100 */
  readonly quietMs?: number;
  /** Milliseconds after the first change at which it is told in any case. @default 10 000 */
  readonly maxMs?: number;
};

type Deps = {
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Pick<ControlPlaneMetrics, 'watchesFailing'>;
};

type Watched = { readonly kind: WatchedKind; readonly store: ObjectStore; readonly informer: Informer<ClusterObject> };

/** An object with a status of ours, and the resource it is one of. */
export type Observed = StoredObject & { readonly resource: Resource };

/** Objects with a status of ours, as the API server has them; by `Kind namespace/name`. */
export interface ObservedObjects {
  observed(): Iterable<readonly [string, Observed]>;
  find(key: string): Observed | undefined;
  /** Calls back when one of them may have changed; returns the unsubscriber. */
  onObserved(listener: () => void): () => void;
}

export class KubernetesSource implements ConfigurationSource, ObservedObjects {
  readonly #deps: Deps;
  readonly #rules: PeerAuthenticationRules;
  readonly #watched: readonly Watched[];
  readonly #health: WatchHealth;
  readonly #debounce: Debounce;
  readonly #listeners = new Set<(event: SourceEvent) => void>();
  readonly #observers = new Set<() => void>();
  #told = false;

  constructor(options: KubernetesSourceOptions, deps: Deps) {
    this.#deps = deps;
    this.#rules = options.rules;
    this.#health = new WatchHealth(deps);
    this.#debounce = new Debounce(
      { quietMs: options.quietMs ?? 100, maxMs: options.maxMs ?? 10_000 },
      { clock: deps.clock, run: () => this.#recvSettled() },
    );
    this.#watched = watchedKinds().map((kind) => this.#watch(kind));
  }

  /** Of each kind's watch. */
  get states(): ReadonlyMap<string, WatchState> {
    return this.#health.states;
  }

  get waitsFor(): string | undefined {
    if (this.#told) return undefined;
    return this.#watched
      .filter((watched) => !isSettled(watched))
      .map(
        ({ kind, informer }) => `${kind.kind.kind} (${'message' in informer.state ? informer.state.message : 'not listed yet'})`,
      )
      .join(', ');
  }

  onEvent(listener: (event: SourceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onObserved(listener: () => void): () => void {
    this.#observers.add(listener);
    return () => this.#observers.delete(listener);
  }

  *observed(): Generator<readonly [string, Observed]> {
    for (const watched of this.#watched) {
      if (watched.kind.reported !== true) continue;
      for (const stored of watched.store.objects)
        yield [`${watched.kind.kind.kind} ${stored.object.key}`, observedIn(watched, stored)];
    }
  }

  find(key: string): Observed | undefined {
    const at = key.indexOf(' ');
    const watched = this.#watched.find(({ kind }) => kind.reported === true && kind.kind.kind === key.slice(0, at));
    const stored = watched?.store.get(key.slice(at + 1));
    return watched === undefined || stored === undefined ? undefined : observedIn(watched, stored);
  }

  /** Does not wait for the API server, which may be away: the first event comes when everything was listed. */
  async start(): Promise<void> {
    for (const { informer } of this.#watched) informer.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#debounce[Symbol.dispose]();
    await Promise.all(this.#watched.map(({ informer }) => informer[Symbol.asyncDispose]()));
    this.#debounce[Symbol.dispose]();
    this.#health[Symbol.dispose]();
    this.#listeners.clear();
    this.#observers.clear();
  }

  #watch(kind: WatchedKind): Watched {
    const { api, clock, random } = this.#deps;
    const store = new ObjectStore();
    const informer = new Informer<ClusterObject>(
      { resources: kind.resources, ...(kind.labelSelector === undefined ? {} : { labelSelector: kind.labelSelector }) },
      {
        api,
        clock,
        random,
        read: (object) => readClusterObject(object, kind, this.#rules),
        listener: {
          recvList: (objects) => this.#recvWeight(store.replaceAll(objects)),
          recvChange: (object) => this.#recvWeight(store.put(object)),
          recvRemoval: ({ key }) => this.#recvWeight(store.remove(key)),
          recvState: (state) => this.#recvState(kind.kind.kind, state),
        },
      },
    );
    return { kind, store, informer };
  }

  #recvState(kind: string, state: WatchState): void {
    this.#health.recvState(kind, state);
    this.#deps.metrics.watchesFailing.set(this.#health.failing);
    // The last kind to answer may have nothing to tell.
    if (!this.#told) this.#debounce.trigger();
  }

  #recvWeight(weight: ChangeWeight): void {
    if (weight === 'configuration') this.#debounce.trigger();
    if (weight !== 'none') for (const listener of this.#observers) listener();
  }

  #recvSettled(): void {
    if (!this.#told && !this.#watched.every(isSettled)) return;
    this.#told = true;
    const snapshot = clusterSnapshot(new Map(this.#watched.map(({ kind, store }) => [kind.kind.kind, store.objects])));
    for (const listener of this.#listeners) listener({ kind: 'taken', ...snapshot });
  }
}

function observedIn({ kind }: Watched, stored: StoredObject): Observed {
  const [{ plural, kind: name }] = kind.resources;
  return { ...stored, resource: { apiVersion: stored.object.apiVersion, kind: name, plural } };
}

/** C1. */
function isSettled({ kind, informer }: Watched): boolean {
  const { state } = informer;
  if (informer.listed || state.kind === 'absent') return true;
  return state.kind === 'forbidden' && kind.required !== true;
}
