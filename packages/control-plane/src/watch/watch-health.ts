/**
 * What is said of watches that do not work: once when it begins, again every minute while it lasts, once when it is over.
 *
 *   well ── a watch fails ──▶ doubtful ── still failing after two seconds ──▶ failing ── all work again ──▶ well
 *    ▲                            │
 *    └──────── all work again ────┘
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { WatchState } from '../kubernetes/informer.ts';

type Failing = Extract<WatchState, { readonly kind: 'failing' }>;

type State =
  | { readonly kind: 'well' }
  | { readonly kind: 'doubtful'; readonly cancel: Cancel }
  | { readonly kind: 'failing'; readonly cancel: Cancel };

/** Milliseconds: an API server that restarts behind a load balancer is no news. */
const doubtMs = 2000;
const remindMs = 60_000;

export class WatchHealth implements Disposable {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #states = new Map<string, WatchState>();
  readonly #named = new Map<string, 'absent' | 'forbidden'>();
  #state: State = { kind: 'well' };

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  /** Of each kind. */
  get states(): ReadonlyMap<string, WatchState> {
    return this.#states;
  }

  recvState(kind: string, state: WatchState): void {
    this.#states.set(kind, state);
    this.#tell(kind, state);
    const fails = this.#failing().length > 0;
    if (fails && this.#state.kind === 'well')
      this.#state = { kind: 'doubtful', cancel: this.#clock.after(doubtMs, () => this.#recvDue()) };
    if (!fails) this.#recvWell();
  }

  [Symbol.dispose](): void {
    if (this.#state.kind !== 'well') this.#state.cancel();
  }

  /** Kinds whose watch does not work, as metrics count them. */
  get failing(): number {
    return this.#failing().length;
  }

  /** What is missing is named once, whatever happens until it is there. */
  #tell(kind: string, state: WatchState): void {
    const missing = state.kind === 'absent' || state.kind === 'forbidden';
    if (missing && this.#named.get(kind) === state.kind) return;
    if (state.kind === 'absent')
      this.#logger.info('the cluster has no such resource; it is read as soon as there is one', { kind });
    else if (state.kind === 'forbidden')
      this.#logger.warn('a resource may not be read; it is read as soon as a role permits get, list and watch', {
        kind,
        error: state.message,
      });
    else if (state.kind === 'synced' && this.#named.delete(kind)) this.#logger.info('the resource is read now', { kind });
    if (missing) this.#named.set(kind, state.kind);
  }

  #failing(): readonly (readonly [string, Failing])[] {
    return [...this.#states].flatMap(([kind, state]) => (state.kind === 'failing' ? [[kind, state] as const] : []));
  }

  #recvDue(): void {
    const failing = this.#failing();
    const since = Math.min(...failing.map(([, { sinceMs }]) => sinceMs));
    this.#logger.warn('the API server cannot be watched; the last good configuration keeps serving', {
      since: new Date(since).toISOString(),
      kinds: failing.map(([kind]) => kind).join(', '),
      error: failing[0]?.[1].message,
    });
    this.#state = { kind: 'failing', cancel: this.#clock.after(remindMs, () => this.#recvDue()) };
  }

  #recvWell(): void {
    if (this.#state.kind === 'well') return;
    this.#state.cancel();
    if (this.#state.kind === 'failing') this.#logger.info('the API server is watched again');
    this.#state = { kind: 'well' };
  }
}
