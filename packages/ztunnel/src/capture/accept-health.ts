/**
 * Whether connections can be accepted at all. Without a free file descriptor the kernel's queue is still emptied, each connection
 * closed on the spot (libuv sheds them, and tells nobody), so that a proxy looks alive and serves nobody. It is looked at, and a
 * process that stays so ends, for somebody else to start it anew.
 *
 *   well ── no descriptor ──▶ failing ── for the deadline ──▶ ended: onFatal, once
 *     ▲                          │
 *     └────── one is free ───────┘
 */
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

export type AcceptHealthOptions = {
  /** How long nothing can be accepted before the process ends, milliseconds; 0: it never does. @default 60 000 */
  readonly deadlineMs?: number;
  /** Between two looks, milliseconds. @default 1000, or a quarter of the deadline */
  readonly intervalMs?: number;
};

export type AcceptHealthDeps = {
  /** Takes a file descriptor and gives it back; throws when there is none. */
  readonly probe: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: { acceptFailed(): void };
  /** The process cannot be of use any more. */
  readonly onFatal: (error: MeshError) => void;
};

type State = { readonly kind: 'well' } | { readonly kind: 'failing'; readonly sinceMs: number } | { readonly kind: 'ended' };

export class AcceptHealth implements Disposable {
  readonly #deadlineMs: number;
  readonly #intervalMs: number;
  readonly #deps: AcceptHealthDeps;
  #state: State = { kind: 'well' };
  #cancel: Cancel = () => {};

  constructor(options: AcceptHealthOptions, deps: AcceptHealthDeps) {
    this.#deadlineMs = options.deadlineMs ?? 60_000;
    this.#intervalMs = options.intervalMs ?? Math.min(1_000, this.#deadlineMs === 0 ? 1_000 : this.#deadlineMs / 4);
    this.#deps = deps;
    this.#watch();
  }

  [Symbol.dispose](): void {
    this.#state = { kind: 'ended' };
    this.#cancel();
  }

  #watch(): void {
    this.#cancel = this.#deps.clock.after(this.#intervalMs, () => {
      this.#look();
      if (this.#state.kind !== 'ended') this.#watch();
    });
  }

  #look(): void {
    try {
      this.#deps.probe();
      this.#recvFree();
    } catch (cause) {
      this.#recvNone(cause);
    }
  }

  #recvFree(): void {
    if (this.#state.kind !== 'failing') return;
    this.#state = { kind: 'well' };
    this.#deps.logger.info('connections can be accepted again');
  }

  #recvNone(cause: unknown): void {
    const { clock, logger, metrics, onFatal } = this.#deps;
    const nowMs = clock.monotonicMs();
    metrics.acceptFailed();
    if (this.#state.kind === 'well') {
      this.#state = { kind: 'failing', sinceMs: nowMs };
      logger.error('connections cannot be accepted: every new one is closed', {
        error: cause instanceof Error ? cause.message : String(cause),
        ...(this.#deadlineMs === 0 ? {} : { ends_in_ms: this.#deadlineMs }),
      });
    }
    if (this.#state.kind !== 'failing' || this.#deadlineMs === 0 || nowMs - this.#state.sinceMs < this.#deadlineMs) return;
    this.#state = { kind: 'ended' };
    const message = `no connection could be accepted for ${this.#deadlineMs} ms, so this process ends: ${String(cause)}`;
    onFatal(new MeshError('MESH-CAPTURE-002', { message, cause }));
  }
}
