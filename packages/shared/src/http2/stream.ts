/** What a connection knows of one stream, and who hears of it. */
import { ReceiveWindow, SendWindow } from './flow-window.ts';
import type { StreamState } from './stream-state.ts';

/** The owner of a stream. None of these may throw. */
export interface StreamEvents {
  /** Client only: the answer. */
  recvHeaders(fields: readonly string[]): void;
  /**
   * Give the bytes back by `consume` once they are read. They were read into a buffer that is used again: whoever keeps any
   * of them keeps a copy.
   */
  recvData(bytes: Buffer): void;
  /** END_STREAM. */
  recvEnd(): void;
  /** The stream is over: the peer reset it, or this side had to because of what the peer sent. */
  recvReset(code: number): void;
  /** What could not be sent may be tried again. */
  recvCapacity(): void;
  /** The connection is over; `cause` if this side ended it for a reason of its own. */
  recvLost(cause?: Error): void;
}

export type StreamFacts = {
  /** What may be sent, bytes. */
  readonly send: number;
  /** What may be received, bytes. */
  readonly receive: number;
  /** A CONNECT, whose stream carries nothing but DATA once it is answered (RFC 9113 section 8.5). */
  readonly tunnel: boolean;
};

export class Http2Stream {
  readonly id: number;
  readonly send: SendWindow;
  readonly receive: ReceiveWindow;
  readonly tunnel: boolean;
  state: StreamState = 'open';
  events: StreamEvents;
  /** Client only: until the answer that is not informational. */
  awaitsAnswer = false;
  /** Bytes its owner was given and has not read. */
  unread = 0;
  /** Bytes of the connection's window that are given back as they are read. */
  owed = 0;

  constructor(id: number, { send, receive, tunnel }: StreamFacts, events: StreamEvents) {
    this.id = id;
    this.send = new SendWindow(send);
    this.receive = new ReceiveWindow(receive);
    this.tunnel = tunnel;
    this.events = events;
  }
}
