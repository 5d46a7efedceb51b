/**
 * Threads that all run one bundle.
 *
 *   asked ─▶ thread with the fewest questions ─▶ answered
 *     └ all full ─▶ queue ─▶ thread        └ queue full, too late, given up ─▶ no decision
 *
 * P1  A thread that was stopped is replaced; what waited behind the rule that stopped it is asked again elsewhere, as
 *     evaluation changes nothing.
 * P2  Every question is answered within its time, whatever happens to threads.
 */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { isSteady } from './opa-builtins.ts';
import type { Evaluation } from './opa-engine.ts';
import { WasmThread } from './opa-wasm-thread.ts';
import type { WasmAnswer, WasmQuestion, WasmThreadOptions } from './opa-wasm-thread.ts';

export type WasmPoolOptions = WasmThreadOptions & {
  /** From 1 to 4. @default 1 */
  readonly threads?: number;
  /** One question, waiting included, milliseconds. @default 200 */
  readonly timeoutMs?: number;
  /** Questions waiting for a thread; more are not asked. @default 1 024 */
  readonly maxQueued?: number;
};

export type WasmPoolDeps = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

export type WasmPoolStart =
  | { readonly kind: 'ready'; readonly pool: WasmPool }
  | { readonly kind: 'rejected'; readonly reason: string };

/** Questions in a thread's hands: more than one, so that it need not wait for the next. */
const depth = 4;

export class WasmPool implements AsyncDisposable {
  readonly cacheable: boolean;
  readonly #options: Required<Pick<WasmPoolOptions, 'timeoutMs' | 'maxQueued'>> & WasmPoolOptions;
  readonly #deps: WasmPoolDeps;
  readonly #threads = new Set<WasmThread>();
  readonly #queue: WasmQuestion[] = [];
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  readonly #starting = new Set<Promise<void>>();
  #state: 'answering' | 'closing' = 'answering';
  #open = 0;
  #recvIdle: () => void = () => {};

  private constructor(options: WasmPoolOptions, deps: WasmPoolDeps, builtins: readonly string[]) {
    this.#options = { timeoutMs: 200, maxQueued: 1_024, ...options };
    this.#deps = deps;
    this.#backoff = new Backoff({ initialMs: 100, maxMs: 5_000 }, deps);
    this.cacheable = isSteady(builtins);
  }

  /** Ready when one thread is; the bundle is rejected when that thread rejects it. */
  static async start(options: WasmPoolOptions, deps: WasmPoolDeps): Promise<WasmPoolStart> {
    const first = await WasmThread.start(options, deps);
    if (first.kind === 'rejected') return first;
    const pool = new WasmPool(options, deps, first.builtins);
    pool.#adopt(first.thread);
    const threads = Math.min(4, Math.max(1, options.threads ?? 1));
    for (let more = 1; more < threads; more += 1) pool.#replace();
    return { kind: 'ready', pool };
  }

  get revision(): string {
    return this.#options.bundle.revision;
  }

  evaluate(input: string, signal: AbortSignal): Promise<Evaluation> {
    const { timeoutMs } = this.#options;
    const { revision } = this;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(unavailable('the request was given up'));
      if (this.#state === 'closing') return resolve(unavailable('the bundle was replaced'));
      const finish = (answer: WasmAnswer): void => {
        if (settled) return;
        settled = true;
        cancel();
        signal.removeEventListener('abort', onAbort);
        this.#recvClosed();
        resolve(answer.kind === 'value' ? { kind: 'result', value: answer.value, revision } : unavailable(answer.reason));
      };
      let settled = false;
      const onAbort = (): void => finish({ kind: 'failed', reason: 'the request was given up' });
      const late = (): void => finish({ kind: 'failed', reason: `no decision within ${timeoutMs} ms` });
      const cancel = this.#deps.clock.after(timeoutMs, late);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#open += 1;
      this.#ask({ input, recvAnswer: finish });
    });
  }

  /** Waits for the questions that are open, then ends the threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closing';
    if (this.#open > 0) await new Promise<void>((resolve) => (this.#recvIdle = resolve));
    this.#stopped.abort();
    await Promise.all([...this.#threads].map((thread) => thread[Symbol.asyncDispose]()));
    await Promise.all(this.#starting);
  }

  #ask(question: WasmQuestion): void {
    const thread = this.#leastBusy();
    if (thread !== undefined) return this.#give(thread, question);
    if (this.#queue.length < this.#options.maxQueued) return void this.#queue.push(question);
    question.recvAnswer({ kind: 'failed', reason: `${this.#queue.length} questions wait for a decision` });
  }

  #give(thread: WasmThread, { input, recvAnswer }: WasmQuestion): void {
    thread.ask({
      input,
      recvAnswer: (answer) => {
        recvAnswer(answer);
        this.#pump();
      },
    });
  }

  #pump(): void {
    for (let thread = this.#leastBusy(); thread !== undefined; thread = this.#leastBusy()) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#give(thread, next);
    }
  }

  #leastBusy(): WasmThread | undefined {
    let found: WasmThread | undefined;
    for (const thread of this.#threads) {
      if (thread.pending < depth && (found === undefined || thread.pending < found.pending)) found = thread;
    }
    return found;
  }

  #recvClosed(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#recvIdle();
  }

  #adopt(thread: WasmThread): void {
    this.#threads.add(thread);
    thread.onEnd((left) => {
      this.#threads.delete(thread);
      this.#queue.unshift(...left);
      if (!this.#stopped.signal.aborted) this.#replace();
    });
    this.#pump();
  }

  #replace(): void {
    const started = this.#start().finally(() => this.#starting.delete(started));
    this.#starting.add(started);
  }

  async #start(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const start = await WasmThread.start(this.#options, this.#deps);
      if (start.kind === 'ready') {
        this.#backoff.reset();
        if (signal.aborted) return start.thread[Symbol.asyncDispose]();
        return this.#adopt(start.thread);
      }
      const waitMs = this.#backoff.next();
      this.#deps.logger.error('a thread for policies cannot be started; it is tried again', { reason: start.reason });
      await delay(this.#deps.clock, waitMs, signal).catch(() => {});
    }
  }
}

function unavailable(reason: string): Evaluation {
  return { kind: 'unavailable', reason };
}
