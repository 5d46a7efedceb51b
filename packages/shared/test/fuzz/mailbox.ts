/** The input that a worker runs now, where its owner sees it even when the worker never comes back from it. */
import { maxInput } from './mutate.ts';

const headBytes = 12;

export class Mailbox {
  readonly shared: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(headBytes + maxInput)) {
    this.shared = shared;
    this.#head = new Int32Array(shared, 0, 3);
    this.#bytes = new Uint8Array(shared, headBytes);
  }

  begin(target: number, input: Uint8Array): void {
    this.#bytes.set(input);
    Atomics.store(this.#head, 1, target);
    Atomics.store(this.#head, 2, input.length);
    Atomics.add(this.#head, 0, 1);
  }

  end(): void {
    Atomics.add(this.#head, 0, 1);
  }

  /** Changes with every begin and end; odd while an input runs. */
  get sequence(): number {
    return Atomics.load(this.#head, 0);
  }

  get current(): { readonly target: number; readonly input: Uint8Array } {
    const length = Atomics.load(this.#head, 2);
    return { target: Atomics.load(this.#head, 1), input: Uint8Array.from(this.#bytes.subarray(0, length)) };
  }
}
