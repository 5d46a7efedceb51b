/** Requests of one stream, pulled one ahead: while one waits to be taken, the peer's sending is held back by flow control. */
import type { Wakeup } from '../lifecycle/wakeup.ts';

type State<T> =
  | { readonly kind: 'reading' }
  | { readonly kind: 'full'; readonly request: T; readonly taken: () => void }
  | { readonly kind: 'ended' };

export class RequestInbox<T> {
  readonly #bell: Wakeup;
  #state: State<T> = { kind: 'reading' };

  /** Rings `bell` for each request and at the end. */
  constructor(requests: AsyncIterable<T>, deps: { readonly bell: Wakeup }) {
    this.#bell = deps.bell;
    void this.#read(requests);
  }

  /** True after the last request was taken. */
  get ended(): boolean {
    return this.#state.kind === 'ended';
  }

  /** The request that waits, if one does. */
  take(): T | undefined {
    if (this.#state.kind !== 'full') return undefined;
    const { request, taken } = this.#state;
    this.#state = { kind: 'reading' };
    taken();
    return request;
  }

  async #read(requests: AsyncIterable<T>): Promise<void> {
    try {
      for await (const request of requests) {
        await new Promise<void>((taken) => {
          this.#state = { kind: 'full', request, taken };
          this.#bell.ring();
        });
      }
    } catch {
      // A reset or malformed stream is an end like any other; the transport tells the peer.
    }
    this.#state = { kind: 'ended' };
    this.#bell.ring();
  }
}
