/**
 * One worker thread with one bundle, seen from outside.
 *
 *   starting ── ready ──▶ running ── watchdog, crash, close ──▶ ended
 *      └ rejected, too slow ─▶ ended
 *
 * W1  Questions are answered in order, so that the watchdog times the first of them, and only that one is blamed.
 * W2  An answer that lies in the port already counts, even when the watchdog fires first: a busy event loop is no
 *     endless rule.
 */
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { OpaBundle } from './opa-bundle.ts';
import type { WorkerAnswer, WorkerQuestion, WorkerStart } from './opa-wasm-messages.ts';

export type WasmThreadOptions = {
  readonly bundle: OpaBundle;
  /** Of the rule. */
  readonly path: string;
  /** One evaluation, milliseconds. */
  readonly watchdogMs: number;
  /** Compiling and loading, milliseconds. @default 10 000 */
  readonly loadMs?: number;
  /** Memory of the module, pages of 64 KiB. @default 2 048 */
  readonly maxPages?: number;
};

export type WasmAnswer =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly reason: string };

/** A question and who waits for its answer. */
export type WasmQuestion = { readonly input: string; readonly recvAnswer: (answer: WasmAnswer) => void };

export type WasmStart =
  | { readonly kind: 'ready'; readonly thread: WasmThread; readonly builtins: readonly string[] }
  | { readonly kind: 'rejected'; readonly reason: string };

export class WasmThread implements AsyncDisposable {
  readonly #watchdogMs: number;
  readonly #clock: Clock;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #asked: WasmQuestion[] = [];
  #nextId = 0;
  #cancelWatchdog: Cancel = () => {};
  #state: 'running' | 'ended' = 'running';
  /** Questions nobody looked at when the thread ended; the owner asks them elsewhere. */
  #recvEnd: (left: readonly WasmQuestion[]) => void = () => {};

  private constructor(worker: Worker, port: MessagePort, watchdogMs: number, clock: Clock) {
    this.#worker = worker;
    this.#port = port;
    this.#watchdogMs = watchdogMs;
    this.#clock = clock;
    port.on('message', (answer: WorkerAnswer) => this.#recv(answer));
    worker.on('error', (error: unknown) => this.#end(`the thread failed: ${String(error)}`));
    worker.on('exit', () => this.#end('the thread ended'));
  }

  /** Loads the bundle in a thread of its own; what it does there can only cost that thread. */
  static async start(options: WasmThreadOptions, deps: { readonly clock: Clock }): Promise<WasmStart> {
    const { port1, port2 } = new MessageChannel();
    const worker = startWorker(options, port2);
    const loadMs = options.loadMs ?? 10_000;
    const { promise, resolve } = Promise.withResolvers<WorkerAnswer>();
    const reject = (reason: string): void => resolve({ kind: 'rejected', reason });
    const cancel = deps.clock.after(loadMs, () => reject(`it did not load within ${loadMs} ms`));
    port1.once('message', resolve);
    worker.once('error', (error: unknown) => reject(`the thread failed: ${String(error)}`));
    worker.once('exit', () => reject('the thread ended'));
    const first = await promise;
    cancel();
    if (first.kind === 'ready') {
      return {
        kind: 'ready',
        builtins: first.builtins,
        thread: new WasmThread(worker, port1, options.watchdogMs, deps.clock),
      };
    }
    port1.close();
    await worker.terminate();
    return { kind: 'rejected', reason: first.kind === 'rejected' ? first.reason : 'it answered before it was asked' };
  }

  /** Questions asked and not answered. */
  get pending(): number {
    return this.#asked.length;
  }

  onEnd(recvEnd: (left: readonly WasmQuestion[]) => void): void {
    this.#recvEnd = recvEnd;
  }

  ask(question: WasmQuestion): void {
    this.#asked.push(question);
    const message: WorkerQuestion = { id: this.#nextId++, input: question.input, nowMs: this.#clock.now() };
    this.#port.postMessage(message);
    if (this.#asked.length === 1) this.#watch();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end('the bundle was replaced');
    await this.#worker.terminate();
  }

  #recv(answer: WorkerAnswer): void {
    if (this.#state === 'ended' || (answer.kind !== 'result' && answer.kind !== 'failed')) return;
    const question = this.#asked.shift();
    this.#cancelWatchdog();
    if (this.#asked.length > 0) this.#watch();
    question?.recvAnswer(
      answer.kind === 'result'
        ? { kind: 'value', value: answer.value }
        : { kind: 'failed', reason: `the rule failed: ${answer.reason}` },
    );
  }

  #watch(): void {
    this.#cancelWatchdog = this.#clock.after(this.#watchdogMs, () => this.#recvWatchdog());
  }

  #recvWatchdog(): void {
    const blamed = this.#asked[0];
    // W2.
    for (let left = receiveMessageOnPort(this.#port); left !== undefined; left = receiveMessageOnPort(this.#port)) {
      this.#recv(left.message as WorkerAnswer);
    }
    if (blamed === undefined || this.#asked[0] !== blamed) return;
    this.#end(`the rule did not end within ${this.#watchdogMs} ms, and was stopped`);
    void this.#worker.terminate();
  }

  #end(reason: string): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#cancelWatchdog();
    this.#port.close();
    const [blamed, ...left] = this.#asked.splice(0);
    blamed?.recvAnswer({ kind: 'failed', reason });
    this.#recvEnd(left);
  }
}

/** The thread sees its bundle and a port: no environment, no standard streams. */
function startWorker({ bundle, path, maxPages }: WasmThreadOptions, port: MessagePort): Worker {
  const workerData: WorkerStart = { port, wasm: bundle.wasm, data: bundle.data, path, maxPages: maxPages ?? 2_048 };
  const worker = new Worker(new URL('./opa-wasm-worker.ts', import.meta.url), {
    name: 'opa',
    workerData,
    transferList: [port],
    env: {},
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 128 },
  });
  // What a module prints is nobody's log, and unread it would fill the memory.
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}
