/**
 * Keeps what a cluster needs for its waypoints: a task of the leader.
 *
 * In: Gateways of the configuration, overlays, what stands in the cluster. Out: objects, and which Gateways cannot be served.
 * W1  Level, not edge: each event only says at which Gateway to look; what is done follows from how things are.
 * W2  Nothing is decided before what a Gateway refers to is known.
 * W3  What belongs to a Gateway that is gone is the garbage collector's, by its owner; only what is optional is removed here.
 */
import { gatewaysOfDomains } from '../derive/banking-domain.ts';
import { Informer } from '../kubernetes/informer.ts';
import { objectPath } from '../kubernetes/resource.ts';
import { WorkQueue } from '../lead/work-queue.ts';
import { objectName } from '../manifest/collections.ts';
import { isDeployed } from './gateway-pods.ts';
import { ClassKeeper } from './class-keeper.ts';
import { deployedResources, managedSelector, optionalKinds, readLiveObject } from './deployed-kinds.ts';
import { keyOf } from './kubernetes-object.ts';
import { ObjectWriter } from './object-writer.ts';
import { OverlayWatch } from './overlay-watch.ts';
import { waypointObjects } from './waypoint-objects.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { Leadership, LeaderRun, LeaderTask } from '../lead/leader-task.ts';
import type { WorkResult } from '../lead/work-queue.ts';
import type { GatewayManifest } from '../manifest/gateway.ts';
import type { Configured } from '../report/report.ts';
import type { LiveObject } from './deployed-kinds.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { WriteResult } from './object-writer.ts';
import type { WaypointOptions } from './waypoint-options.ts';

export type WaypointDeployerOptions = {
  /** Time in which a chart may make the GatewayClasses before they are made here, milliseconds. @default 20 000 */
  readonly classGraceMs?: number;
  readonly waypoints: WaypointOptions;
  readonly rootNamespace: string;
  readonly revision: string;
  /** Where waypoints may be made. @default everywhere */
  readonly namespaces?: ReadonlySet<string>;
};

const gateways: Resource = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', plural: 'gateways' };

/** Hears why nothing can be made for Gateways, by `namespace/name`. */
type RecvInvalid = (invalid: ReadonlyMap<string, string>) => void;

export class WaypointDeployer implements LeaderTask {
  readonly name = 'waypoints';
  readonly #options: WaypointDeployerOptions;
  #recvInvalid: RecvInvalid = () => {};

  constructor(options: WaypointDeployerOptions) {
    this.#options = options;
  }

  /** One hears it, from now on. */
  onInvalidParameters(recv: RecvInvalid): void {
    this.#recvInvalid = recv;
  }

  lead(leadership: Leadership): LeaderRun {
    return new DeployRun(this.#options, (invalid) => this.#recvInvalid(invalid), leadership);
  }
}

class DeployRun implements LeaderRun {
  readonly #options: WaypointDeployerOptions;
  readonly #recvInvalid: RecvInvalid;
  readonly #leadership: Leadership;
  readonly #gateways = new Map<string, GatewayManifest>();
  /** What is ours in the cluster, by Gateway, then by key. */
  readonly #live = new Map<string, Map<string, LiveObject>>();
  readonly #invalid = new Map<string, string>();
  readonly #writer: ObjectWriter;
  readonly #queue: WorkQueue;
  readonly #classes: ClassKeeper;
  readonly #overlays: OverlayWatch;
  readonly #informers: readonly AsyncDisposable[];

  constructor(options: WaypointDeployerOptions, recvInvalid: RecvInvalid, leadership: Leadership) {
    this.#options = options;
    this.#recvInvalid = recvInvalid;
    this.#leadership = leadership;
    const { clock, random, signal } = leadership;
    this.#writer = new ObjectWriter(leadership);
    this.#queue = new WorkQueue({}, { clock, random, signal, work: (key, until) => this.#settle(key, until) });
    this.#classes = new ClassKeeper(
      { names: options.waypoints.classes, ...(options.classGraceMs === undefined ? {} : { graceMs: options.classGraceMs }) },
      { ...leadership, onChange: () => this.#lookAtAll() },
    );
    this.#overlays = new OverlayWatch(options.rootNamespace, {
      ...leadership,
      onChange: (name) => this.#recvOverlay(name),
    });
    this.#informers = deployedResources.map((resource) => this.#watch(resource));
  }

  onConfiguration({ collections }: Configured): void {
    const { revision, namespaces } = this.#options;
    const gateways = gatewaysOfDomains(collections)
      .filter((gateway) => isDeployed(gateway, revision))
      .filter(({ metadata }) => namespaces?.has(metadata.namespace) ?? true);
    const names = new Set(gateways.map(({ metadata }) => objectName(metadata)));
    for (const name of this.#gateways.keys()) {
      if (names.has(name)) continue;
      this.#gateways.delete(name);
      this.#queue.add(name);
    }
    for (const gateway of gateways) {
      const name = objectName(gateway.metadata);
      if (JSON.stringify(this.#gateways.get(name)) === JSON.stringify(gateway)) continue;
      this.#gateways.set(name, gateway);
      this.#queue.add(name);
    }
    this.#overlays.follow(new Set(gateways.flatMap((gateway) => overlayName(gateway) ?? [])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#classes, this.#overlays, ...this.#informers].map((each) => each[Symbol.asyncDispose]()));
    await this.#queue[Symbol.asyncDispose]();
    // The next one to lead finds out for itself.
    if (this.#invalid.size > 0) this.#recvInvalid(new Map());
  }

  #watch(resource: Resource): AsyncDisposable {
    const { api, clock, random, logger } = this.#leadership;
    const informer = new Informer<LiveObject>(
      { resources: [resource], labelSelector: managedSelector },
      {
        api,
        clock,
        random,
        read: readLiveObject,
        listener: {
          recvList: (items) => {
            this.#forgetKind(resource.kind);
            for (const item of items) this.#put(item);
          },
          recvChange: (item) => this.#put(item),
          recvRemoval: (item) => {
            this.#live.get(item.gateway)?.delete(item.key);
            this.#queue.add(item.gateway);
          },
          recvState: (state) => {
            if (state.kind === 'forbidden')
              logger.warn('objects of waypoints cannot be read', { resource: resource.plural, error: state.message });
          },
        },
      },
    );
    informer.start();
    return informer;
  }

  #put(item: LiveObject): void {
    this.#objectsOf(item.gateway).set(item.key, item);
    this.#queue.add(item.gateway);
  }

  #objectsOf(gateway: string): Map<string, LiveObject> {
    const objects = this.#live.get(gateway) ?? new Map<string, LiveObject>();
    this.#live.set(gateway, objects);
    return objects;
  }

  #forgetKind(kind: string): void {
    for (const [gateway, objects] of this.#live) {
      for (const [key, object] of objects) if (object.kind === kind) objects.delete(key);
      if (objects.size === 0) this.#live.delete(gateway);
      this.#queue.add(gateway);
    }
  }

  #recvOverlay(name: string | undefined): void {
    if (name === undefined) return this.#lookAtAll();
    for (const [key, gateway] of this.#gateways) if (overlayName(gateway) === name) this.#queue.add(key);
  }

  #lookAtAll(): void {
    for (const name of this.#gateways.keys()) this.#queue.add(name);
  }

  async #settle(name: string, signal: AbortSignal): Promise<WorkResult> {
    const gateway = this.#gateways.get(name);
    if (gateway === undefined || !this.#classes.serves(gateway.spec.gatewayClassName)) {
      for (const key of this.#live.get(name)?.keys() ?? []) this.#writer.forget(key);
      this.#report(name, undefined);
      return { kind: 'done' };
    }
    // W2
    if (!this.#overlays.knows(overlayName(gateway))) return { kind: 'done' };
    const { waypoints, rootNamespace } = this.#options;
    const result = waypointObjects(gateway, { options: waypoints, rootNamespace, overlays: this.#overlays.maps });
    this.#report(name, result.kind === 'invalid' ? result.message : undefined);
    if (result.kind === 'invalid') return { kind: 'done' };
    const live = this.#live.get(name);
    const vanished = result.objects.some((object) => this.#writer.hasVanished(keyOf(object), live?.get(keyOf(object))));
    // The garbage collector is often faster than the configuration: what it removes is not to be made again.
    if (vanished && !(await this.#stands(gateway, signal))) return { kind: 'done' };
    return this.#write(name, result.objects, signal);
  }

  /** False where the Gateway is gone, or another one of its name has come. */
  async #stands({ metadata }: GatewayManifest, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#leadership.api.call<ApiObject>({ path: objectPath(gateways, metadata) }, signal);
    if (answer.kind !== 'ok') return !(answer.kind === 'refused' && answer.status === 404);
    return answer.body.metadata.uid === metadata.uid;
  }

  async #write(name: string, objects: readonly KubernetesObject[], signal: AbortSignal): Promise<WorkResult> {
    const results: WriteResult[] = [];
    for (const object of objects) {
      signal.throwIfAborted();
      const result = await this.#writer.apply(object, this.#live.get(name)?.get(keyOf(object)), signal);
      // What was written counts before the watch tells of it.
      if (result.kind === 'done' && result.live !== undefined) this.#objectsOf(name).set(result.live.key, result.live);
      results.push(result);
    }
    const wanted = new Set(objects.map(keyOf));
    const surplus = [...(this.#live.get(name)?.values() ?? [])].filter((live) => isSurplus(live, wanted));
    for (const live of surplus) results.push(await this.#writer.remove(live, signal));
    const failed = results.filter((result) => result.kind === 'failed');
    if (failed.length === 0) return { kind: 'done' };
    return { kind: 'retry', afterMs: Math.max(...failed.map(({ afterMs = 0 }) => afterMs)) };
  }

  #report(name: string, message: string | undefined): void {
    if (this.#invalid.get(name) === message) return;
    if (message === undefined) this.#invalid.delete(name);
    else {
      this.#invalid.set(name, message);
      this.#leadership.logger.warn('nothing is made for a Gateway', { gateway: name, reason: message });
    }
    this.#recvInvalid(new Map(this.#invalid));
  }
}

/** W3. */
function isSurplus({ kind, key, ours }: LiveObject, wanted: ReadonlySet<string>): boolean {
  return ours && optionalKinds.has(kind) && !wanted.has(key);
}

/** `namespace/name` of the ConfigMap that the Gateway names. */
function overlayName({ metadata, spec }: GatewayManifest): string | undefined {
  const reference = spec.infrastructure?.parametersRef;
  return reference?.kind === 'ConfigMap' ? `${metadata.namespace}/${reference.name}` : undefined;
}
