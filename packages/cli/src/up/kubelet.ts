/** All pods of the directory on their nodes: a worker each, one status file, and the cluster IPs for clients outside the mesh. */
import type { Lab } from '@clearmesh/lab/lab';
import type { ServiceManifest } from '@clearmesh/control-plane/manifest/service';
import { PodWorker } from './pod-worker.ts';
import type { PodWorkerDeps, PodWorkerOptions } from './pod-worker.ts';
import type { DesiredPod } from './desired-pod.ts';
import { statusOf } from './pod-sandbox.ts';
import type { Sandbox } from './pod-sandbox.ts';
import { labServices } from './service-endpoints.ts';
import type { Endpoint } from './service-endpoints.ts';
import type { StatusFile } from './status-file.ts';

/** The pods and services the manifests want. */
export type Wish = {
  readonly pods: readonly DesiredPod[];
  readonly services: readonly ServiceManifest[];
};

export type KubeletOptions = Omit<PodWorkerOptions, 'key'>;

export type KubeletDeps = Omit<PodWorkerDeps, 'publish' | 'lab'> & {
  readonly lab: Pick<Lab, 'addPod' | 'removePod' | 'spawn' | 'setServices'>;
  readonly statusFile: StatusFile;
};

export class Kubelet implements AsyncDisposable {
  readonly #options: KubeletOptions;
  readonly #deps: KubeletDeps;
  readonly #workers = new Map<string, PodWorker>();
  readonly #watchers = new Set<() => void>();
  #services: readonly ServiceManifest[] = [];
  #published = '';
  #publishing: Promise<void> = Promise.resolve();

  constructor(options: KubeletOptions, deps: KubeletDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** What the nodes hold now. */
  get sandboxes(): readonly Sandbox[] {
    return [...this.#workers.values()].flatMap(({ sandbox }) => (sandbox === undefined ? [] : [sandbox]));
  }

  /** Makes the nodes become what the manifests want; returns at once. */
  apply({ pods, services }: Wish): void {
    this.#services = services;
    const wanted = new Map(pods.map((pod) => [pod.key, pod]));
    for (const key of [...this.#workers.keys(), ...wanted.keys()]) this.#worker(key).want(wanted.get(key));
  }

  /** Resolves when `condition` holds for the pods, checked after every change; rejects with the signal's reason. */
  async until(condition: (sandboxes: readonly Sandbox[]) => boolean, signal: AbortSignal): Promise<void> {
    while (!condition(this.sandboxes)) {
      signal.throwIfAborted();
      const changed = Promise.withResolvers<void>();
      this.#watchers.add(changed.resolve);
      signal.addEventListener('abort', () => changed.resolve(), { once: true });
      await changed.promise;
      this.#watchers.delete(changed.resolve);
    }
  }

  /** Resolves when every pod is as wanted. */
  settled(signal: AbortSignal): Promise<void> {
    return this.until(() => [...this.#workers.values()].every((worker) => worker.resting), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker[Symbol.asyncDispose]()));
  }

  #worker(key: string): PodWorker {
    const known = this.#workers.get(key);
    if (known !== undefined) return known;
    const worker = new PodWorker({ ...this.#options, key }, { ...this.#deps, publish: () => this.#publish() });
    this.#workers.set(key, worker);
    return worker;
  }

  #publish(): Promise<void> {
    const publish = this.#publishing.then(() => this.#publishNow());
    // The caller gets the failure; the next publication must still be made.
    this.#publishing = publish.catch(() => {});
    return publish;
  }

  async #publishNow(): Promise<void> {
    const { sandboxes } = this;
    await this.#deps.statusFile.write(sandboxes.map(statusOf));
    const services = labServices(this.#services, sandboxes.map(endpointOf));
    const text = JSON.stringify(services);
    if (text !== this.#published) await this.#deps.lab.setServices(services);
    this.#published = text;
    for (const tell of this.#watchers) tell();
  }
}

function endpointOf({ spec, place, ready }: Sandbox): Endpoint {
  return { namespace: spec.namespace, labels: spec.labels, ip: place.ip, ready, ports: spec.container.namedPorts };
}
