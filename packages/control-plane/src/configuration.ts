/**
 * From source events to what is published: derive, publish, tell. Derives again when time alone changes the result.
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Logger } from '@clearmesh/shared/observe/log';
import { derive } from './derive/derive.ts';
import { problemFields } from '@clearmesh/shared/document/problem';
import type { Collections } from './manifest/collections.ts';
import type { ControlPlaneMetrics } from './admin/control-plane-metrics.ts';
import type { DeriveOptions } from './derive/options.ts';
import type { MeshModel } from './derive/mesh-model.ts';
import type { Configured } from './report/report.ts';
import type { Reporter } from './report/reporter.ts';
import type { PodManifest } from './manifest/pod.ts';
import type { Problem } from '@clearmesh/shared/document/problem';
import type { Publisher } from './publish/publisher.ts';
import type { SourceEvent } from './watch/configuration-source.ts';

type Deps = {
  readonly publisher: Publisher;
  readonly metrics: Pick<
    ControlPlaneMetrics,
    'configurationProblems' | 'configurationStandIns' | 'configurationReadings' | 'configurationTaken' | 'resources'
  >;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Hears what to report. @default nobody */
  readonly reporter?: Pick<Reporter, 'recvConfigured' | 'recvProblems'>;
  /** Hears of each configuration in force. @default nobody */
  readonly onConfiguration?: (configured: Configured) => void;
};

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'configured'; readonly collections: Collections; readonly model: MeshModel; readonly cancel: Cancel };

function problemText({ object, field, value, message, effect = '' }: Problem): string {
  return `${object} ${field} ${value} ${message} ${effect}`;
}

/** Objects in whose place something else is in force. */
function stoodFor(problems: readonly Problem[]): ReadonlySet<string> {
  return new Set(problems.flatMap(({ object, effect }) => (effect === undefined ? [] : [object])));
}

/** Problems written out in full; the rest is counted. */
const maxProblems = 100;
/** Milliseconds; a date further away is waited for in steps, since timers hold 24 days at most. */
const maxWaitMs = 3_600_000;

export class Configuration implements Disposable {
  readonly #options: DeriveOptions;
  readonly #deps: Deps;
  #state: State = { kind: 'none' };
  /** What is wrong with objects that were left out of the configuration in force. */
  #leftOut: ReadonlySet<string> = new Set();

  constructor(options: DeriveOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The model in force; `undefined` before the first good configuration. */
  get model(): MeshModel | undefined {
    return this.#state.kind === 'configured' ? this.#state.model : undefined;
  }

  get pods(): readonly PodManifest[] {
    return this.#state.kind === 'configured' ? this.#state.collections.pods : [];
  }

  recvEvent(event: SourceEvent): void {
    this.#deps.metrics.configurationReadings.add({ result: event.kind });
    const { problems = [] } = event;
    this.#deps.reporter?.recvProblems(event.kind === 'rejected' ? problems.slice(0, maxProblems) : problems);
    if (event.kind === 'rejected') return this.#recvRejected(problems);
    this.#recvLeftOut(problems);
    this.#deps.metrics.configurationTaken.set(Math.floor(this.#deps.clock.now() / 1000));
    this.#apply(event.collections);
    const rejected = problems.length === 0 ? {} : { problems: problems.length };
    this.#deps.logger.info('configuration taken', { files: event.files, objects: event.objects, ...rejected });
  }

  [Symbol.dispose](): void {
    if (this.#state.kind === 'configured') this.#state.cancel();
  }

  /** Each is said once, however often the configuration is taken while it lasts. */
  #recvLeftOut(problems: readonly Problem[]): void {
    const fresh = problems.filter((problem) => !this.#leftOut.has(problemText(problem)));
    this.#leftOut = new Set(problems.map(problemText));
    this.#deps.metrics.configurationProblems.set(problems.length);
    this.#deps.metrics.configurationStandIns.set(stoodFor(problems).size);
    this.#warn(fresh);
  }

  #warn(problems: readonly Problem[]): void {
    for (const problem of problems.slice(0, maxProblems))
      this.#deps.logger.warn(`${problem.field} ${problem.message}`.trim(), problemFields(problem));
  }

  #recvRejected(problems: readonly Problem[]): void {
    this.#warn(problems);
    const serving = this.#state.kind === 'none' ? 'nothing is served yet' : 'the last good configuration keeps serving';
    this.#deps.logger.warn(`configuration rejected; ${serving}`, { problems: problems.length });
  }

  #apply(collections: Collections): void {
    const { publisher, metrics, clock, logger, reporter, onConfiguration } = this.#deps;
    const known = new Set(this.model?.notes.map((note) => `${note.object} ${note.message}`));
    if (this.#state.kind === 'configured') this.#state.cancel();
    const nowMs = clock.now();
    const model = derive(collections, this.#options, nowMs);
    this.#state = { kind: 'configured', collections, model, cancel: this.#schedule(collections, model.changesAtMs) };
    publisher.publish(model);
    reporter?.recvConfigured({ collections, model, nowMs });
    onConfiguration?.({ collections, model, nowMs });
    for (const { object, message } of model.notes) {
      if (!known.has(`${object} ${message}`)) logger.warn(message, { object });
    }
    metrics.resources.set(model.workloads.length, { kind: 'workload' });
    metrics.resources.set(model.services.length, { kind: 'service' });
    metrics.resources.set(model.policies.length, { kind: 'policy' });
    metrics.resources.set(model.waypoints.length, { kind: 'waypoint' });
  }

  #recvDue(collections: Collections): void {
    try {
      this.#apply(collections);
    } catch (error) {
      this.#deps.logger.error('the configuration could not be derived again', {
        error: MeshError.from(error, 'MESH-INTERNAL-001').message,
      });
    }
  }

  #schedule(collections: Collections, changesAtMs: number | undefined): Cancel {
    if (changesAtMs === undefined) return () => {};
    const waitMs = Math.min(maxWaitMs, changesAtMs - this.#deps.clock.now());
    return this.#deps.clock.after(waitMs, () => this.#recvDue(collections));
  }
}
