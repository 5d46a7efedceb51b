/**
 * The status of every object, written to the API server by the leader (control-plane-contract section 1.4).
 *
 * In: reports, and the objects as the server has them. Out: writes to `/status`.
 * W1  Level, not edge: whatever changed, what is written follows from the difference between what is to be said and what
 *     the status says. What somebody else took away comes back.
 * W2  An object gets at most five writes a minute, however often its state changes, or another writer changes it back.
 */
import { answerText } from '../kubernetes/api-answer.ts';
import { objectPath } from '../kubernetes/resource.ts';
import { WorkQueue } from '../lead/work-queue.ts';
import { Debounce } from '../lifecycle/debounce.ts';
import { rejectionStatus } from './rejection-status.ts';
import { reporterOf } from './reporters.ts';
import { statusPatch } from './status-patch.ts';
import type { ApiAnswer } from '../kubernetes/api-answer.ts';
import type { ApiCall } from '../kubernetes/api-client.ts';
import type { Leadership, LeaderRun, LeaderTask } from '../lead/leader-task.ts';
import type { WorkResult } from '../lead/work-queue.ts';
import type { Observed, ObservedObjects } from '../watch/kubernetes-source.ts';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { StatusReporter } from './reporters.ts';
import type { StatusPatch } from './status-patch.ts';
import type { ObjectStatus, StatusReport } from './status-report.ts';

/** Writes of one object in a minute. */
const maxWrites = 5;
const windowMs = 60_000;

export class StatusTask implements LeaderTask {
  readonly name = 'status';
  readonly #observed: ObservedObjects;
  #report: StatusReport | undefined;
  #run: StatusRun | undefined;

  constructor(observed: ObservedObjects) {
    this.#observed = observed;
  }

  recvReport(report: StatusReport): void {
    this.#report = report;
    this.#run?.look();
  }

  lead(leadership: Leadership): LeaderRun {
    const run = new StatusRun(this.#observed, () => this.#report, leadership);
    this.#run = run;
    run.look();
    return run;
  }
}

type Write = { readonly reporter: StatusReporter; readonly patch: StatusPatch };

class StatusRun implements LeaderRun {
  readonly #observed: ObservedObjects;
  readonly #report: () => StatusReport | undefined;
  readonly #leadership: Leadership;
  readonly #queue: WorkQueue;
  readonly #debounce: Debounce;
  readonly #unsubscribe: () => void;
  /** What was written to which state of an object, until the watch shows another one. */
  readonly #sent = new Map<string, { readonly version: string; readonly text: string }>();
  /** When, milliseconds of one clock. */
  readonly #writes = new Map<string, readonly number[]>();
  readonly #reported = new Set<string>();
  #problems: ReadonlyMap<string, readonly Problem[]> = new Map();

  constructor(observed: ObservedObjects, report: () => StatusReport | undefined, leadership: Leadership) {
    this.#observed = observed;
    this.#report = report;
    this.#leadership = leadership;
    const { clock, random, signal } = leadership;
    this.#queue = new WorkQueue({}, { clock, random, signal, work: (key, until) => this.#settle(key, until) });
    this.#debounce = new Debounce({ quietMs: 100, maxMs: 1000 }, { clock, run: () => this.#scan() });
    this.#unsubscribe = observed.onObserved(() => this.look());
  }

  /** Something may differ. */
  look(): void {
    if (!this.#leadership.signal.aborted) this.#debounce.trigger();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#debounce[Symbol.dispose]();
    await this.#queue[Symbol.asyncDispose]();
  }

  #scan(): void {
    const report = this.#report();
    // Before the first configuration nothing can be said of anything.
    if (report === undefined || report.serving === 'none') return;
    this.#problems = Map.groupBy(report.rejections, ({ object }) => object);
    const present = new Set<string>();
    for (const [key, observed] of this.#observed.observed()) {
      present.add(key);
      if (this.#writeOf(key, observed, report) !== undefined) this.#queue.add(key);
    }
    for (const map of [this.#sent, this.#writes]) for (const key of map.keys()) if (!present.has(key)) map.delete(key);
  }

  #writeOf(key: string, observed: Observed, report: StatusReport): Write | undefined {
    const { object, resource } = observed;
    const reporter = reporterOf(resource.kind);
    const patch = statusPatch(reporter, {
      desired: this.#desired(key, observed, report),
      actual: object.status,
      generation: object.generation,
      reported: object.reported,
      nowMs: this.#leadership.clock.now(),
    });
    if (patch === undefined) return undefined;
    const sent = this.#sent.get(key);
    if (sent !== undefined && sent.version === object.resourceVersion && sent.text === textOf(patch)) return undefined;
    return { reporter, patch };
  }

  #desired(key: string, { object, manifest, resource }: Observed, report: StatusReport): ObjectStatus {
    const status = report.objects[key];
    const [first, ...others] = this.#problems.get(key) ?? [];
    if (first === undefined) return status ?? {};
    return rejectionStatus({
      kind: resource.kind,
      problems: [first, ...others],
      status,
      inForce: manifest !== undefined && first.code === 'MESH-CONFIG-001',
      parents: object.reading.kind === 'wrong' ? (object.reading.parents ?? []) : [],
    });
  }

  async #settle(key: string, signal: AbortSignal): Promise<WorkResult> {
    const [report, observed] = [this.#report(), this.#observed.find(key)];
    const write = report === undefined || observed === undefined ? undefined : this.#writeOf(key, observed, report);
    if (observed === undefined || write === undefined) return { kind: 'done' };
    const waitMs = this.#waitMs(key);
    if (waitMs > 0) return { kind: 'retry', afterMs: waitMs };
    const answer = await this.#leadership.api.call(callOf(observed, write), signal);
    return this.#recvAnswer(key, observed, write, answer);
  }

  /** W2. */
  #waitMs(key: string): number {
    const now = this.#leadership.clock.monotonicMs();
    const lately = (this.#writes.get(key) ?? []).filter((at) => now - at < windowMs);
    const [first = now] = lately;
    if (lately.length >= maxWrites) return windowMs - (now - first);
    this.#writes.set(key, [...lately, now]);
    return 0;
  }

  #recvAnswer(key: string, { object, resource }: Observed, { patch }: Write, answer: ApiAnswer): WorkResult {
    if (answer.kind === 'ok') {
      this.#sent.set(key, { version: object.resourceVersion, text: textOf(patch) });
      return { kind: 'done' };
    }
    // Gone, and what was said of it with it.
    if (answer.kind === 'refused' && answer.status === 404) return { kind: 'done' };
    // Changed by somebody meanwhile: the watch shows it.
    if (answer.kind === 'refused' && answer.status === 409) return { kind: 'retry', afterMs: 1000 };
    this.#tell(key, resource.kind, answerText(answer));
    if (answer.kind === 'refused' && answer.status === 422) {
      this.#sent.set(key, { version: object.resourceVersion, text: textOf(patch) });
      return { kind: 'done' };
    }
    const afterMs = answer.kind === 'refused' ? answer.retryAfterMs : undefined;
    return { kind: 'retry', ...(afterMs === undefined ? {} : { afterMs }) };
  }

  /** Once a kind and reason: a missing right concerns each object of the kind. */
  #tell(key: string, kind: string, error: string): void {
    const subject = `${kind} ${error.slice(0, 60)}`;
    if (this.#reported.has(subject) || this.#reported.size >= 100) return;
    this.#reported.add(subject);
    this.#leadership.logger.warn('a status could not be written', { object: key, error });
  }
}

/** Without the times, which differ with every look. */
function textOf(patch: StatusPatch): string {
  return JSON.stringify(patch, (name, value: unknown) => (name === 'lastTransitionTime' ? undefined : value));
}

function callOf({ object, resource }: Observed, { reporter, patch }: Write): ApiCall {
  const path = objectPath(resource, object.name, 'status');
  const query = { fieldManager: reporter.manager };
  if (reporter.write === 'apply') {
    const { apiVersion, kind } = resource;
    return {
      method: 'PATCH',
      path,
      query: { ...query, force: 'true' },
      body: { apiVersion, kind, metadata: object.name, status: patch },
      contentType: 'application/apply-patch+yaml',
    };
  }
  // The version makes the server refuse what was made from an older state.
  const body = { metadata: { resourceVersion: object.resourceVersion }, status: patch };
  return { method: 'PATCH', path, query, body, contentType: 'application/merge-patch+json' };
}
