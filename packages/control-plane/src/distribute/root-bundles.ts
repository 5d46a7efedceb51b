/**
 * ConfigMap `istio-ca-root-cert` in every namespace: what clients mount to trust the control plane.
 *
 * In: namespaces, and what their ConfigMaps hold. Out: the root in each of them.
 * B1  Level, not edge: each event only says where to look; what is done follows from how things are.
 * B2  Where another writer keeps changing it, that is said, and left alone for a while.
 */
import type { Cancel } from '@clearmesh/shared/lifecycle/clock';
import { answerText } from '../kubernetes/api-answer.ts';
import { Informer } from '../kubernetes/informer.ts';
import { collectionPath, objectPath } from '../kubernetes/resource.ts';
import { WorkQueue } from '../lead/work-queue.ts';
import { decideBundle, maxMends } from './bundle-decision.ts';
import { readBundle } from './bundle.ts';
import type { ApiAnswer } from '../kubernetes/api-answer.ts';
import type { InformerOptions } from '../kubernetes/informer.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { GivenOut } from '../certify/current-root.ts';
import type { Leadership, LeaderRun, LeaderTask } from '../lead/leader-task.ts';
import type { WorkResult } from '../lead/work-queue.ts';
import type { Bundle } from './bundle.ts';

const bundleName = 'istio-ca-root-cert';
const bundleKey = 'root-cert.pem';
const fieldManager = 'clearmesh-root';

const namespaceResource: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
const configMapResource: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };

export class RootBundles implements LeaderTask {
  readonly name = 'root';
  readonly #root: GivenOut;

  constructor(root: GivenOut) {
    this.#root = root;
  }

  lead(leadership: Leadership): LeaderRun {
    return new BundleRun(this.#root, leadership);
  }
}

class BundleRun implements LeaderRun {
  readonly #root: GivenOut;
  readonly #unlisten: Cancel;
  readonly #leadership: Leadership;
  /** Those that are there, and not about to go. */
  readonly #namespaces = new Set<string>();
  /** By namespace. */
  readonly #bundles = new Map<string, Bundle>();
  readonly #mends = new Map<string, readonly number[]>();
  readonly #yielded = new Set<string>();
  readonly #queue: WorkQueue;
  readonly #informers: readonly AsyncDisposable[];
  #bundlesListed = false;

  constructor(root: GivenOut, leadership: Leadership) {
    this.#root = root;
    this.#leadership = leadership;
    const { clock, random, signal } = leadership;
    this.#queue = new WorkQueue(
      { perSecond: 50, burst: 50 },
      { clock, random, signal, work: (key, until) => this.#settle(key, until) },
    );
    this.#informers = [this.#watchNamespaces(), this.#watchBundles()];
    this.#unlisten = root.onReplaced(() => {
      // Ours, not another writer's.
      this.#mends.clear();
      for (const namespace of this.#namespaces) this.#look(namespace);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    await Promise.all(this.#informers.map((informer) => informer[Symbol.asyncDispose]()));
    await this.#queue[Symbol.asyncDispose]();
  }

  #watchNamespaces(): AsyncDisposable {
    return this.#watch({ resources: [namespaceResource] }, readNamespace, {
      replaceAll: (namespaces) => {
        this.#namespaces.clear();
        for (const namespace of namespaces) this.#putNamespace(namespace);
      },
      put: (namespace) => this.#putNamespace(namespace),
      remove: ({ name }) => {
        this.#namespaces.delete(name);
        this.#mends.delete(name);
        this.#yielded.delete(name);
      },
    });
  }

  #putNamespace({ name, active }: Namespace): void {
    if (active) this.#namespaces.add(name);
    else this.#namespaces.delete(name);
    if (active) this.#look(name);
  }

  #watchBundles(): AsyncDisposable {
    return this.#watch(
      { resources: [configMapResource], fieldSelector: `metadata.name=${bundleName}` },
      (object) => readBundle(object, bundleKey),
      {
        replaceAll: (bundles) => {
          this.#bundles.clear();
          for (const bundle of bundles) this.#bundles.set(bundle.namespace, bundle);
          this.#bundlesListed = true;
          for (const namespace of this.#namespaces) this.#look(namespace);
        },
        put: (bundle) => {
          this.#bundles.set(bundle.namespace, bundle);
          this.#look(bundle.namespace);
        },
        remove: ({ namespace }) => {
          this.#bundles.delete(namespace);
          this.#look(namespace);
        },
      },
    );
  }

  #watch<T>(options: InformerOptions, read: (object: ApiObject) => T, store: Store<T>): AsyncDisposable {
    const { api, clock, random, logger } = this.#leadership;
    const informer = new Informer<T>(options, {
      api,
      clock,
      random,
      read,
      listener: {
        recvList: (items) => store.replaceAll(items),
        recvChange: (item) => store.put(item),
        recvRemoval: (item) => store.remove(item),
        recvState: (state) => {
          if (state.kind === 'forbidden')
            logger.warn('the root cannot be kept in namespaces', { resource: options.resources[0].plural, error: state.message });
        },
      },
    });
    informer.start();
    return informer;
  }

  #look(namespace: string): void {
    // Before the list every bundle would look as if it were missing.
    if (this.#bundlesListed) this.#queue.add(namespace);
  }

  async #settle(namespace: string, signal: AbortSignal): Promise<WorkResult> {
    const rootPem = this.#root.rootPem;
    const bundle = this.#bundles.get(namespace);
    const held = bundle === undefined ? 'missing' : bundle.rootPem === rootPem ? 'right' : 'wrong';
    const mendedMs = this.#mends.get(namespace) ?? [];
    const nowMs = this.#leadership.clock.monotonicMs();
    const step = decideBundle(namespace, { active: this.#namespaces.has(namespace), bundle: held, mendedMs, nowMs });
    if (step.kind === 'leave') return { kind: 'done' };
    if (step.kind === 'yield') return this.#yield(namespace, bundle, step.untilMs - nowMs);
    if (step.kind === 'create') return this.#recvAnswer(namespace, bundle, await this.#create(namespace, rootPem, signal));
    this.#mends.set(namespace, [...mendedMs, nowMs].slice(-maxMends));
    return this.#recvAnswer(namespace, bundle, await this.#mend(namespace, rootPem, signal));
  }

  #create(namespace: string, rootPem: string, signal: AbortSignal): Promise<ApiAnswer> {
    const path = collectionPath(configMapResource, namespace);
    const metadata = { name: bundleName, namespace, labels: { 'clearmesh.io/config': 'true' } };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [bundleKey]: rootPem } };
    return this.#leadership.api.call({ method: 'POST', path, query: { fieldManager }, body }, signal);
  }

  #mend(namespace: string, rootPem: string, signal: AbortSignal): Promise<ApiAnswer> {
    const path = objectPath(configMapResource, { namespace, name: bundleName });
    const contentType = 'application/merge-patch+json';
    const body = { data: { [bundleKey]: rootPem } };
    return this.#leadership.api.call({ method: 'PATCH', path, query: { fieldManager }, body, contentType }, signal);
  }

  #recvAnswer(namespace: string, before: Bundle | undefined, answer: ApiAnswer): WorkResult {
    if (answer.kind === 'ok') {
      this.#recvWritten(namespace, before, answer.body);
      return { kind: 'done' };
    }
    const gone = answer.kind === 'refused' && (answer.status === 404 || /being terminated/.test(answer.message));
    // Made by another meanwhile, or gone with its namespace: the watch tells.
    if (gone || (answer.kind === 'refused' && answer.status === 409)) return { kind: 'done' };
    this.#leadership.logger.warn('the root could not be written', { namespace, error: answerText(answer) });
    const afterMs = answer.kind === 'refused' ? answer.retryAfterMs : undefined;
    return { kind: 'retry', ...(afterMs === undefined ? {} : { afterMs }) };
  }

  /** Counts before the watch tells of it, or another look would write it again; what the watch told meanwhile may be newer. */
  #recvWritten(namespace: string, before: Bundle | undefined, body: unknown): void {
    this.#yielded.delete(namespace);
    if (this.#bundles.get(namespace) === before) this.#bundles.set(namespace, readBundle(body as ApiObject, bundleKey));
  }

  /** B2. */
  #yield(namespace: string, bundle: Bundle | undefined, waitMs: number): WorkResult {
    const { logger } = this.#leadership;
    const message = 'another writer keeps changing the root certificate of a namespace; it is left alone for ten minutes';
    const fields = { namespace, configMap: bundleName, writer: bundle?.writer, others: this.#yielded.size };
    // Who owns it in one namespace mostly owns it in all: the first says it.
    if (this.#yielded.size === 0) logger.warn(message, fields);
    else if (!this.#yielded.has(namespace)) logger.debug(message, fields);
    this.#yielded.add(namespace);
    return { kind: 'retry', afterMs: waitMs };
  }
}

type Store<T> = {
  replaceAll(items: readonly T[]): void;
  put(item: T): void;
  remove(item: T): void;
};

type Namespace = { readonly name: string; readonly active: boolean };

function readNamespace(object: ApiObject): Namespace {
  const { status } = object as { readonly status?: { readonly phase?: string } };
  return { name: object.metadata.name, active: status?.phase !== 'Terminating' };
}
