/** UDP queries at one address of a pod. The socket is made in the pod's namespace and taken over by Node. */
import dgram from 'node:dgram';
import type { DatagramSocket } from '@clearmesh/linux/datagram-socket';
import type { Logger } from '@clearmesh/shared/observe/log';

export type DatagramPortDeps = {
  /** The answer to a datagram, or `undefined` for none; never rejects. */
  readonly respond: (message: Uint8Array, from: dgram.RemoteInfo) => Promise<Uint8Array | undefined>;
  readonly logger: Logger;
};

/** Open from the constructor on. */
export class DatagramPort {
  readonly #socket: dgram.Socket;
  readonly #opened: DatagramSocket;
  readonly #deps: DatagramPortDeps;
  readonly #port: number;
  readonly #answering = new Set<Promise<void>>();
  #isOpen = true;

  /** @param opened taken over */
  constructor(opened: DatagramSocket, family: 4 | 6, deps: DatagramPortDeps) {
    this.#opened = opened;
    this.#deps = deps;
    this.#socket = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
    this.#socket.on('error', (error) => deps.logger.debug('DNS socket', { error: error.message }));
    this.#socket.on('message', (message, from) => this.#recvMessage(message, from));
    this.#socket.bind({ fd: opened.fd, exclusive: true });
    this.#port = this.#socket.address().port;
  }

  /** Leaves what is new to a successor in this namespace, if there is one. */
  yield(): void {
    if (this.#isOpen) this.#opened.yieldPort();
  }

  /** Resolves when what was asked until now is answered; then it is closed. */
  async finish(): Promise<void> {
    await Promise.all(this.#answering);
    this.close();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  #recvMessage(message: Buffer, from: dgram.RemoteInfo): void {
    // Only forged packets come from our own port, and an answer would come back here, and be answered, without end; or from
    // port 0, to which nothing can be sent.
    if (from.port === this.#port || from.port === 0) return;
    const answering = this.#answer(message, from).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  async #answer(message: Buffer, from: dgram.RemoteInfo): Promise<void> {
    const answer = await this.#deps.respond(message, from);
    if (answer === undefined || !this.#isOpen) return;
    // Sent only in a later turn of the event loop: to close before would lose it.
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    this.#socket.send(answer, from.port, from.address, resolve);
    const error = await promise;
    // The asker asks again, as for any datagram that is lost.
    if (error !== null) this.#deps.logger.debug('a DNS answer was not sent', { error: error.message });
  }
}
