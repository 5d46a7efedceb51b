/**
 * The GatewayClasses of this mesh: made where they are missing, never changed, and said to be accepted. Helm makes those of
 * the chart last, when this runs already, and fails where one is there: so nothing is made before the time of grace is over.
 * A class of one of our names that another controller claims is that controller's: its Gateways are left alone.
 */
import { answerText } from '../kubernetes/api-answer.ts';
import { Informer } from '../kubernetes/informer.ts';
import { collectionPath, objectPath } from '../kubernetes/resource.ts';
import { WorkQueue } from '../lead/work-queue.ts';
import type { ApiAnswer } from '../kubernetes/api-answer.ts';
import type { ApiObject, Resource } from '../kubernetes/resource.ts';
import type { Leadership } from '../lead/leader-task.ts';
import type { WorkResult } from '../lead/work-queue.ts';

export const controllerName = 'clearmesh.io/mesh-controller';

const gatewayClasses: Resource = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
};
const fieldManager = 'clearmesh-gateway-class';

type GatewayClass = {
  readonly name: string;
  readonly controllerName: string;
  readonly generation: number;
  /** Our condition says so already. */
  readonly accepted: boolean;
};

export type ClassKeeperOptions = {
  /** Of the classes that are served. */
  readonly names: readonly string[];
  /** Time in which somebody else may make them, milliseconds. @default 20 000 */
  readonly graceMs?: number;
};

type Deps = Leadership & { readonly onChange: () => void };

export class ClassKeeper implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #deps: Deps;
  readonly #classes = new Map<string, GatewayClass>();
  readonly #queue: WorkQueue;
  readonly #informer: Informer<GatewayClass>;
  readonly #makesFromMs: number;
  #claimed = new Set<string>();

  constructor({ names, graceMs = 20_000 }: ClassKeeperOptions, deps: Deps) {
    this.#names = names;
    this.#makesFromMs = deps.clock.monotonicMs() + graceMs;
    this.#deps = deps;
    const { api, clock, random, signal } = deps;
    this.#queue = new WorkQueue({}, { clock, random, signal, work: (name, until) => this.#settle(name, until) });
    const listener = {
      recvList: (items: readonly GatewayClass[]) => {
        this.#classes.clear();
        for (const item of items) this.#classes.set(item.name, item);
        this.#recvAny();
      },
      recvChange: (item: GatewayClass) => {
        this.#classes.set(item.name, item);
        this.#recvAny();
      },
      recvRemoval: (item: GatewayClass) => {
        this.#classes.delete(item.name);
        this.#recvAny();
      },
      recvState: () => {},
    };
    this.#informer = new Informer({ resources: [gatewayClasses] }, { api, clock, random, read: readClass, listener });
    this.#informer.start();
  }

  /** True for a class of ours that no other controller claims. */
  serves(className: string): boolean {
    const found = this.#classes.get(className);
    return this.#names.includes(className) && found?.controllerName === controllerName;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#informer[Symbol.asyncDispose]();
    await this.#queue[Symbol.asyncDispose]();
  }

  #recvAny(): void {
    for (const name of this.#names) this.#queue.add(name);
    this.#deps.onChange();
  }

  async #settle(name: string, signal: AbortSignal): Promise<WorkResult> {
    if (!this.#informer.listed) return { kind: 'done' };
    const found = this.#classes.get(name);
    if (found === undefined) {
      const graceMs = this.#makesFromMs - this.#deps.clock.monotonicMs();
      if (graceMs > 0) return { kind: 'retry', afterMs: graceMs };
      return this.#recvAnswer(name, await this.#create(name, signal));
    }
    if (found.controllerName !== controllerName) return this.#recvClaimed(found);
    return found.accepted ? { kind: 'done' } : this.#recvAnswer(name, await this.#accept(found, signal));
  }

  #create(name: string, signal: AbortSignal): Promise<ApiAnswer> {
    const { apiVersion, kind } = gatewayClasses;
    const spec = { controllerName, description: 'Waypoints of Clearmesh, one Deployment a Gateway.' };
    const body = { apiVersion, kind, metadata: { name }, spec };
    const path = collectionPath(gatewayClasses);
    return this.#deps.api.call({ method: 'POST', path, query: { fieldManager }, body }, signal);
  }

  #accept({ name, generation }: GatewayClass, signal: AbortSignal): Promise<ApiAnswer> {
    const { apiVersion, kind } = gatewayClasses;
    const accepted = {
      type: 'Accepted',
      status: 'True',
      reason: 'Accepted',
      message: 'a waypoint is made for every Gateway of this class',
      observedGeneration: generation,
      lastTransitionTime: new Date(this.#deps.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    };
    const body = { apiVersion, kind, metadata: { name }, status: { conditions: [accepted] } };
    const path = objectPath(gatewayClasses, { name }, 'status');
    const query = { fieldManager, force: 'true' };
    return this.#deps.api.call({ method: 'PATCH', path, query, body, contentType: 'application/apply-patch+yaml' }, signal);
  }

  #recvAnswer(name: string, answer: ApiAnswer): WorkResult {
    if (answer.kind === 'ok') {
      // What was written counts before the watch tells of it: another look would write it again.
      const written = readClass(answer.body as ApiObject);
      this.#classes.set(name, written);
      if (!written.accepted) this.#queue.add(name);
      this.#deps.onChange();
      return { kind: 'done' };
    }
    // Another replica, or the chart, was faster, and the watch tells.
    if (answer.kind === 'refused' && answer.status === 409) return { kind: 'done' };
    this.#deps.logger.warn('a GatewayClass could not be written', { class: name, error: answerText(answer) });
    return { kind: 'retry', ...('retryAfterMs' in answer ? { afterMs: answer.retryAfterMs } : {}) };
  }

  #recvClaimed({ name, controllerName: claimant }: GatewayClass): WorkResult {
    if (!this.#claimed.has(name)) {
      const message = 'a GatewayClass of our name is another controller’s; nothing is made for its Gateways';
      this.#deps.logger.warn(message, { class: name, controller: claimant });
      this.#claimed.add(name);
    }
    return { kind: 'done' };
  }
}

type RawClass = {
  readonly spec?: { readonly controllerName?: string } | null;
  readonly status?: {
    readonly conditions?:
      | readonly { readonly type: string; readonly status: string; readonly observedGeneration?: number }[]
      | null;
  } | null;
};

function readClass(object: ApiObject): GatewayClass {
  const { spec, status } = object as RawClass;
  const { name, generation = 0 } = object.metadata;
  const accepted = status?.conditions?.find(({ type }) => type === 'Accepted');
  return {
    name,
    controllerName: spec?.controllerName ?? '',
    generation,
    accepted: accepted?.status === 'True' && accepted.observedGeneration === generation,
  };
}
