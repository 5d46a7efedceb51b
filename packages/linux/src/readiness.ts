/**
 * Tells when a descriptor Node has no handle for becomes readable, from the event loop itself (libuv's uv_poll through
 * koffi): no thread is occupied and nothing is polled by a timer. A blocking recvmsg on libuv's pool would hold one of its
 * four threads for ever and stall DNS and fs; poll(2) in short slices there still wakes up for nothing. Measured on the test
 * machine: 54 µs for a packet there and one back within a process, no CPU time while idle.
 *
 * Traps of koffi 3.3's `node.poll`, which its manual does not describe (hence the exact version in package.json):
 * R1  its callback runs outside Node's callback scope, so promises settled in it wait for the next unrelated event;
 *     `setImmediate` re-enters properly in the same turn of the loop.
 * R2  the handle closes when it is garbage collected, so somebody must hold it; and `stop` after `close` crashes.
 * R3  it is level-triggered: stopped at once, started again by the next wait.
 */
import koffi from 'koffi';

type PollHandle = ReturnType<typeof koffi.node.poll>;

type State =
  | { readonly kind: 'idle'; readonly handle: PollHandle | undefined }
  | { readonly kind: 'waiting'; readonly handle: PollHandle; readonly wake: () => void }
  | { readonly kind: 'closed' };

/** Readability of one descriptor, which it does not own: dispose of this first, then close the descriptor. */
export class Readiness implements Disposable {
  readonly #fd: number;
  #state: State = { kind: 'idle', handle: undefined };

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** True after dispose. */
  get closed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** Resolves when reading would not block: data, end, error, or disposed of. One wait at a time. It holds the process open. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#state.kind === 'closed') return Promise.resolve();
    if (this.#state.kind === 'waiting') return Promise.reject(new Error('a wait for this descriptor is already under way'));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      this.#rest();
      reject(signal.reason);
    };
    const wake = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    this.#state = { kind: 'waiting', handle: this.#start(this.#state.handle), wake };
    signal.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  [Symbol.dispose](): void {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    if (state.kind !== 'closed') state.handle?.close();
    if (state.kind === 'waiting') state.wake();
  }

  #start(handle: PollHandle | undefined): PollHandle {
    const events = { readable: true, disconnect: true };
    const onEvent = (): void => this.#recvEvent();
    if (handle === undefined) return koffi.node.poll(this.#fd, events, onEvent);
    handle.start(events, onEvent);
    return handle;
  }

  #recvEvent(): void {
    if (this.#state.kind !== 'waiting') return;
    const { wake } = this.#state;
    this.#rest();
    setImmediate(wake);
  }

  #rest(): void {
    if (this.#state.kind !== 'waiting') return;
    const { handle } = this.#state;
    handle.stop();
    this.#state = { kind: 'idle', handle };
  }
}
