/**
 * opossum as the state machine of a breaker, kept away from everything of it that harms a proxy (l7-and-resilience B7).
 *
 * opossum is told results, not given work: an attempt runs outside with its own signal and times, and when its head
 * is there (or is not), `fire` is called with the verdict and settles at once. Hence, by the traps of B7:
 *
 * 1  Neutral results are never fired, so that no error is taken for a success.
 * 2  `capacity` is unused: limits refuse before a ticket is drawn.
 * 3  There is no AbortController in it that one timeout could abort for all.
 * 4  Nothing hangs inside, so `timeout` can be off; a probe that hangs outside loses its turn after `probeMs`.
 * 5  Tickets of an earlier state are ignored.
 * 6  Snapshots and percentiles are off, the latencies it collects all the same are thrown away with each rotation, and
 *    one timer rotates all breakers.
 * 7  Refused requests are not fired, so that the rate is failures by answers; no health check is used.
 *
 * Recovery empties the window: a failure from before must not open the breaker again.
 */
import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { BreakerRotation } from './breaker-rotation.ts';
import type { Breaker, BreakerOptions, BreakerStatus, BreakerTicket, BreakerVerdict } from './breaker.ts';

export type OpossumBreakerDeps = { readonly clock: Clock; readonly random: Random; readonly rotation: BreakerRotation };

type Probe = { readonly ticket: BreakerTicket; readonly sinceMs: number };

const counted = Promise.resolve();
const failure = new Error('the attempt failed');

export class OpossumBreaker implements Breaker {
  readonly #options: BreakerOptions;
  readonly #deps: OpossumBreakerDeps;
  /** opossum reads `resetTimeout` from this object each time it opens. */
  readonly #settings: CircuitBreaker.Options<[boolean]>;
  readonly #circuit: CircuitBreaker<[boolean], void>;
  readonly #rotated = new EventEmitter();
  readonly #buckets: number;
  readonly #leaveRotation: Cancel;
  /** All attempts of one closed period share a ticket. */
  #ticket: BreakerTicket = { probe: false };
  #probe: Probe | undefined;
  #failedOpens = 0;
  #sinceMs: number;

  constructor(options: BreakerOptions, deps: OpossumBreakerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#sinceMs = deps.clock.now();
    this.#buckets = Math.max(2, Math.min(60, Math.round(options.windowMs / deps.rotation.intervalMs)));
    this.#settings = {
      name: options.name,
      timeout: false,
      errorThresholdPercentage: options.errorThresholdPercent,
      volumeThreshold: options.volumeThreshold,
      rollingCountTimeout: options.windowMs,
      rollingCountBuckets: this.#buckets,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotated,
      resetTimeout: this.#openMs(),
    };
    this.#circuit = new CircuitBreaker((succeeded: boolean) => (succeeded ? counted : Promise.reject(failure)), this.#settings);
    this.#circuit.on('open', () => this.#recvOpen());
    this.#circuit.on('halfOpen', () => this.#enter());
    this.#circuit.on('close', () => this.#recvClose());
    this.#leaveRotation = deps.rotation.add(() => this.#rotate());
  }

  get status(): BreakerStatus {
    const { fires, failures } = this.#circuit.stats;
    const state = this.#circuit.opened ? 'open' : this.#circuit.halfOpen ? 'half-open' : 'closed';
    return { state, sinceMs: this.#sinceMs, attempts: fires, failures };
  }

  /** Latencies that opossum still holds: those since the last rotation. */
  get keptLatencies(): number {
    return this.#circuit.status.window.reduce((sum, { latencyTimes }) => sum + latencyTimes.length, 0);
  }

  admit(): BreakerTicket | undefined {
    if (this.#circuit.closed || this.#circuit.isShutdown) return this.#ticket;
    if (this.#circuit.opened) return undefined;
    return this.#admitProbe();
  }

  report(ticket: BreakerTicket, verdict: BreakerVerdict): void {
    if (this.#circuit.isShutdown) return;
    if (ticket.probe) {
      if (ticket !== this.#probe?.ticket) return;
      this.#probe = undefined;
      if (verdict !== 'neutral') this.#fire(verdict === 'success');
    } else if (ticket === this.#ticket && (verdict === 'success' || verdict === 'failure')) {
      this.#fire(verdict === 'success');
    }
  }

  [Symbol.dispose](): void {
    this.#leaveRotation();
    this.#circuit.shutdown();
  }

  #admitProbe(): BreakerTicket | undefined {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#probe !== undefined) {
      if (nowMs - this.#probe.sinceMs >= this.#options.probeMs) this.#circuit.open();
      return undefined;
    }
    this.#probe = { ticket: { probe: true }, sinceMs: nowMs };
    return this.#probe.ticket;
  }

  #fire(succeeded: boolean): void {
    this.#circuit.fire(succeeded).catch(ignore);
  }

  /** opossum has set its timer already: what is computed here holds for the next time. */
  #recvOpen(): void {
    this.#failedOpens += 1;
    this.#settings.resetTimeout = this.#openMs();
    this.#enter();
  }

  #recvClose(): void {
    this.#failedOpens = 0;
    this.#settings.resetTimeout = this.#openMs();
    for (let bucket = 0; bucket < this.#buckets; bucket++) this.#rotated.emit('rotate');
    this.#enter();
  }

  #enter(): void {
    this.#ticket = { probe: false };
    this.#probe = undefined;
    this.#sinceMs = this.#deps.clock.now();
  }

  /** Doubles with each failed probe, and gets up to half longer, so that replicas do not probe together. */
  #openMs(): number {
    const { openMs, maxOpenMs } = this.#options;
    return Math.min(maxOpenMs, openMs * 2 ** this.#failedOpens * (1 + 0.5 * this.#deps.random.unit()));
  }

  #rotate(): void {
    this.#rotated.emit('rotate');
    for (const bucket of this.#circuit.status.window) bucket.latencyTimes.length = 0;
  }
}

function ignore(): void {}
