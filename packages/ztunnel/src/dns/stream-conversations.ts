/**
 * DNS over TCP: connections of one pod, on each of them one question after another (RFC 7766 allows more).
 *
 * C1  A connection on which no whole question arrives for a while is closed, however many bytes trickle in.
 * C2  There are so many connections of a pod and no more.
 */
import type net from 'node:net';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MessageStream, framed } from './message-stream.ts';

export type StreamConversationsOptions = {
  /** C1, milliseconds. @default 5 000 */
  readonly idleMs?: number;
  /** C2. @default 128 */
  readonly maxConnections?: number;
};

export type StreamConversationsDeps = {
  /** The answer to a message, or `undefined` for none; never rejects. */
  readonly respond: (message: Uint8Array, socket: net.Socket) => Promise<Uint8Array | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
};

type Conversation = { readonly socket: net.Socket; readonly ended: Promise<void>; isAnswering: boolean };

export class StreamConversations {
  readonly #idleMs: number;
  readonly #maxConnections: number;
  readonly #deps: StreamConversationsDeps;
  readonly #open = new Set<Conversation>();
  #isFinishing = false;

  constructor(options: StreamConversationsOptions, deps: StreamConversationsDeps) {
    this.#idleMs = options.idleMs ?? 5_000;
    this.#maxConnections = options.maxConnections ?? 128;
    this.#deps = deps;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes a connection over. */
  accept(socket: net.Socket): void {
    if (this.#open.size >= this.#maxConnections || this.#isFinishing) return void socket.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    const conversation: Conversation = { socket, ended: promise, isAnswering: false };
    this.#open.add(conversation);
    void this.#converse(conversation).finally(() => {
      this.#open.delete(conversation);
      resolve();
    });
  }

  /** Ends what is idle now and the others after their answer; resolves when all are gone. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    for (const { socket, isAnswering } of this.#open) if (!isAnswering) socket.destroy();
    await Promise.all([...this.#open].map(({ ended }) => ended));
  }

  /** Ends all now. */
  destroy(): void {
    for (const { socket } of this.#open) socket.destroy();
  }

  async #converse(conversation: Conversation): Promise<void> {
    const { socket } = conversation;
    let cancel = this.#untilIdle(socket);
    try {
      for await (const message of new MessageStream(socket.iterator({ destroyOnReturn: false }))) {
        cancel();
        conversation.isAnswering = true;
        const answer = await this.#deps.respond(message, socket);
        conversation.isAnswering = false;
        cancel = this.#untilIdle(socket);
        if (answer !== undefined) await written(socket, framed(answer));
        if (answer === undefined || this.#isFinishing) break;
      }
      socket.destroySoon();
    } catch (error) {
      this.#deps.logger.debug('a DNS connection was lost', { error: error instanceof Error ? error.message : String(error) });
      socket.destroy();
    } finally {
      cancel();
    }
  }

  #untilIdle(socket: net.Socket): () => void {
    return this.#deps.clock.after(this.#idleMs, () => socket.destroy());
  }
}

/** Resolves when the kernel has it, so that who asks without reading is not answered further; or when the socket is gone. */
function written(socket: net.Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => void socket.write(bytes, () => resolve()));
}
