/**
 * Carries out the faults that {@link chooseFault} chose, and counts them.
 *
 *   begin ─▶ delay ─▶ abort | reset | go on ─▶ body of the answer, slowed down ─▶ disposed
 *
 * J1  A fault counts as active from its choice until it is disposed, which its exchange does however it ends.
 * J2  Nothing outlasts the experiment: at its end, or when it is withdrawn, delays and throttles under way stop at once.
 */
import { pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { FaultExperiment } from '@clearmesh/shared/model/l7/fault';
import type { Failure } from '../exchange/failure.ts';
import type { Refused } from '../exchange/stage.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import { chooseFault } from './fault.ts';
import type { FaultScene, FaultTally } from './fault.ts';
import type { CompiledFaults } from './fault-rules.ts';
import { throttle } from './fault-throttle.ts';
import type { Throttle } from './fault-throttle.ts';

export type FaultInjectorDeps = { readonly clock: Clock; readonly random: Pick<Random, 'unit'> };

/** What is to become of the request. */
export type FaultStep =
  | { readonly kind: 'continue' }
  /** To be answered with this failure, of kind `fault-injected`. */
  | Refused
  /** To be broken off without an answer; the failure is for log and metrics. */
  | { readonly kind: 'reset'; readonly failure: Failure }
  /** The signal was aborted meanwhile; its reason says why. */
  | { readonly kind: 'aborted' };

type Tally = { -readonly [field in keyof FaultTally]: FaultTally[field] } & { endsAtMs: number };

const goOn: FaultStep = { kind: 'continue' };

/** One for the process: limits of an experiment hold for all services that it concerns together. */
export class FaultInjector {
  readonly #deps: FaultInjectorDeps;
  readonly #tallies = new Map<string, Tally>();
  readonly #underWay = new Set<ActiveFault>();

  constructor(deps: FaultInjectorDeps) {
    this.#deps = deps;
  }

  /** Faults under way. */
  get active(): number {
    return this.#underWay.size;
  }

  /** The fault that this request gets, to be disposed when its exchange has ended; usually none. */
  begin({ faults }: CompiledFaults, request: RequestFacts, scene: FaultScene): ActiveFault | undefined {
    if (faults.length === 0) return undefined;
    const nowMs = this.#deps.clock.now();
    const { seen, experiment } = chooseFault(faults, request, scene, nowMs, this.#tallies, this.#deps.random);
    for (const matched of seen) this.#tallyOf(matched, nowMs).seen += 1;
    if (experiment === undefined) return undefined;
    const tally = this.#tallyOf(experiment, nowMs);
    tally.injected += 1;
    tally.active += 1;
    const fault: ActiveFault = new ActiveFault(experiment, request.grpc, this.#deps, () => {
      tally.active -= 1;
      this.#underWay.delete(fault);
    });
    this.#underWay.add(fault);
    return fault;
  }

  /** Stops what is under way of all other experiments: called with the keys of each new configuration. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const fault of this.#underWay) if (!keys.has(fault.experiment)) fault.stop();
    for (const [key, { active }] of this.#tallies) if (active === 0 && !keys.has(key)) this.#tallies.delete(key);
  }

  /** Tallies of experiments that are over go when another begins, so that there are never many. */
  #tallyOf({ key, endsAtMs }: FaultExperiment, nowMs: number): Tally {
    const known = this.#tallies.get(key);
    if (known !== undefined) return known;
    for (const [other, old] of this.#tallies) if (old.active === 0 && old.endsAtMs <= nowMs) this.#tallies.delete(other);
    const tally: Tally = { active: 0, seen: 0, injected: 0, endsAtMs };
    this.#tallies.set(key, tally);
    return tally;
  }
}

/** One request's fault. */
export class ActiveFault implements Disposable {
  /** Key of the FaultExperiment. */
  readonly experiment: string;
  /** For the answer, whoever makes it: a drill is never taken for an incident. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the access log, where the request is answered after all. */
  readonly flag: 'DI' | 'FI';
  readonly #experiment: FaultExperiment;
  readonly #grpc: boolean;
  readonly #clock: Clock;
  readonly #stopped = new AbortController();
  readonly #cancelEnd: Cancel;
  #throttle: Throttle | undefined;
  #release: (() => void) | undefined;

  constructor(experiment: FaultExperiment, grpc: boolean, { clock }: Pick<FaultInjectorDeps, 'clock'>, release: () => void) {
    this.experiment = experiment.key;
    this.headers = { 'x-mesh-fault': experiment.key };
    this.flag = experiment.delayMs === undefined ? 'FI' : 'DI';
    this.#experiment = experiment;
    this.#grpc = grpc;
    this.#clock = clock;
    this.#release = release;
    this.#cancelEnd = clock.after(experiment.endsAtMs - clock.now(), () => this.stop());
  }

  /** Before the request is sent anywhere: waits out the delay, and tells what then. Never rejects. */
  async before(signal: AbortSignal): Promise<FaultStep> {
    const { delayMs, abort, reset } = this.#experiment;
    if (delayMs !== undefined && delayMs > 0) await this.#wait(delayMs, signal);
    if (signal.aborted) return { kind: 'aborted' };
    if (this.#stopped.signal.aborted) return goOn;
    if (reset) return { kind: 'reset', failure: this.#failure('resets the connection of this request') };
    if (abort === undefined) return goOn;
    const { status, grpcStatus = grpcStatusOf(status) } = abort;
    const how = this.#grpc ? { grpcStatus } : { status };
    return { kind: 'refused', failure: { ...this.#failure('aborts this request'), ...how } };
  }

  /** The body of the answer at the experiment's pace; the very same where it throttles nothing. */
  paced(body: Readable): Readable {
    const { throttleKibPerSecond: kibPerSecond } = this.#experiment;
    if (kibPerSecond === undefined || this.#stopped.signal.aborted) return body;
    this.#throttle = throttle({ kibPerSecond }, { clock: this.#clock });
    // An error of either destroys the other; whoever reads hears of it from the stream that is returned.
    pipeline(body, this.#throttle.stream, nothing);
    return this.#throttle.stream;
  }

  /** Ends the fault, not the exchange. */
  stop(): void {
    this.#stopped.abort();
    this.#throttle?.release();
  }

  [Symbol.dispose](): void {
    this.#cancelEnd();
    this.stop();
    this.#release?.();
    this.#release = undefined;
  }

  async #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await delay(this.#clock, delayMs, AbortSignal.any([signal, this.#stopped.signal]));
    } catch {
      // The signals say which of them it was.
    }
  }

  #failure(what: string): Failure {
    const { key } = this.#experiment;
    return { kind: 'fault-injected', detail: `${key}, a drill, ${what}`, policy: key, headers: this.headers };
  }
}

/** For experiments that give no gRPC status (grpc.io, HTTP to gRPC status code mapping). */
function grpcStatusOf(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

function nothing(): void {}
