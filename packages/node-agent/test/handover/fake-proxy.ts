/**
 * A node proxy as seen on the wire: its packets are the recorded bytes, not those of the codec under test.
 * Hello 0801; an Add is `0a…`, Keep `2a…`, Del `12…`, SnapshotSent `1a00`; an Ack without error is `0a00`.
 */
import { closeSync, fstatSync } from 'node:fs';
import { connectSeqpacket } from '@clearmesh/linux/seqpacket';
import type { ReceivedPacket, SeqpacketConnection } from '@clearmesh/linux/seqpacket';

const HELLO = '0801';
/** In place of a hello: none. */
export const SILENCE = '';
export const ACK = '0a00';
export const SNAPSHOT_SENT = '1a00';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

/** Ack with an error text of less than 126 bytes. */
export function nack(error: string): string {
  const text = Buffer.from(error).toString('hex');
  const byte = (value: number): string => value.toString(16).padStart(2, '0');
  return `0a${byte(error.length + 2)}0a${byte(error.length)}${text}`;
}

export class FakeProxy implements AsyncDisposable {
  readonly #connection: SeqpacketConnection;

  private constructor(connection: SeqpacketConnection) {
    this.#connection = connection;
  }

  static async dial(path: string, hello: string = HELLO): Promise<FakeProxy> {
    const proxy = new FakeProxy(await connectSeqpacket(path, soon()));
    if (hello !== SILENCE) proxy.send(hello);
    return proxy;
  }

  send(hex: string, fd?: number): void {
    this.#connection.send(Buffer.from(hex, 'hex'), fd);
  }

  /** The next packet, its descriptors closed; `undefined` when the agent ended the connection. */
  async next(): Promise<{ hex: string; inodes: readonly bigint[] } | undefined> {
    const packet: ReceivedPacket | undefined = await this.#connection.receive(soon());
    if (packet === undefined) return undefined;
    const inodes = packet.fds.map((fd) => fstatSync(fd, { bigint: true }).ino);
    for (const fd of packet.fds) closeSync(fd);
    return { hex: Buffer.from(packet.bytes).toString('hex'), inodes };
  }

  /** Receives one packet and answers it. */
  async answer(hex: string = ACK): Promise<string> {
    const packet = await this.next();
    if (packet === undefined) return 'end';
    this.send(hex);
    return packet.hex;
  }

  /** Acknowledges everything up to SnapshotSent, and returns what came. */
  async takeSnapshot(): Promise<readonly string[]> {
    const seen: string[] = [];
    for (;;) {
      const hex = await this.answer();
      seen.push(hex);
      if (hex === SNAPSHOT_SENT || hex === 'end') return seen;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}
