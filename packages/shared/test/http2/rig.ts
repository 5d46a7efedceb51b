/** A connection without a socket: frames in, frames and events out. */
import { Http2Connection } from '../../src/http2/connection.ts';
import type { ConnectionOptions, Violation } from '../../src/http2/connection-parts.ts';
import { Slabs } from '../../src/http2/outbox.ts';
import type { Http2Stream, StreamEvents } from '../../src/http2/stream.ts';
import { UnreadBudget } from '../../src/http2/unread-budget.ts';
import { framesIn } from '../tunnel/raw-frames.ts';
import type { Frame } from '../tunnel/raw-frames.ts';
import { DATA, END_HEADERS, HEADERS, connectBlock, frame, headerBlock, preface, settings } from '../tunnel/raw-frames.ts';

/** What the owner of a stream heard, in order. */
export class Heard implements StreamEvents {
  readonly events: string[] = [];
  /** Tries again what did not fit. */
  onCapacity: () => void = () => {};

  recvHeaders(fields: readonly string[]): void {
    this.events.push(`headers ${fields.join(' ')}`);
  }

  recvData(bytes: Buffer): void {
    this.events.push(`data ${bytes.length > 40 ? bytes.length : String(bytes)}`);
  }

  recvEnd(): void {
    this.events.push('end');
  }

  recvReset(code: number): void {
    this.events.push(`reset ${code}`);
  }

  recvCapacity(): void {
    this.onCapacity();
  }

  recvLost(): void {
    this.events.push('lost');
  }
}

export type Allowed = { control?: number; resets?: number; useless?: number };

export class ConnectionRig {
  readonly connection: Http2Connection;
  readonly requests: { readonly stream: Http2Stream; readonly fields: readonly string[]; readonly heard: Heard }[] = [];
  readonly gone: number[] = [];
  violation: Violation | undefined;
  pongs = 0;

  constructor(
    options: Partial<ConnectionOptions> & Pick<ConnectionOptions, 'role'>,
    allowed: Allowed = {},
    unread: UnreadBudget = new UnreadBudget(),
  ) {
    const allowance = (kind: keyof Allowed) => ({ take: () => (allowed[kind] = (allowed[kind] ?? 1000) - 1) >= 0 });
    const sizes = { streamWindow: 100_000, connectionWindow: 1_000_000, maxFrame: 16_384, maxHeaderList: 4_096 };
    this.connection = new Http2Connection(
      { ...sizes, maxConcurrentStreams: 4, ...options },
      {
        slabs: new Slabs(),
        unread,
        allowances: { control: allowance('control'), resets: allowance('resets'), useless: allowance('useless') },
        events: {
          recvRequest: (stream, fields) => {
            const heard = new Heard();
            stream.events = heard;
            this.requests.push({ stream, fields, heard });
          },
          recvSettings: () => {},
          recvPong: () => this.pongs++,
          recvGoaway: (code) => this.gone.push(code),
          recvViolation: (violation) => (this.violation = violation),
          recvPending: () => {},
        },
      },
    );
    this.connection.greet();
  }

  /** A server that was greeted, or a client that was. */
  static greeted(
    options: Partial<ConnectionOptions> & Pick<ConnectionOptions, 'role'>,
    allowed: Allowed = {},
    unread: UnreadBudget = new UnreadBudget(),
  ): ConnectionRig {
    const rig = new ConnectionRig(options, allowed, unread);
    rig.recv(...(options.role === 'server' ? [preface] : []), settings());
    rig.sent();
    return rig;
  }

  recv(...parts: readonly Uint8Array[]): void {
    this.connection.recv(Buffer.concat(parts));
  }

  /** Frames that wait in the outbox, which is empty after that, as after a write. */
  sent(): Frame[] {
    const { bytes } = this.connection.outbox.take();
    const frames = framesIn(bytes.subarray(0, preface.length).equals(preface) ? bytes.subarray(preface.length) : bytes);
    this.connection.recvRoom();
    return frames;
  }

  /** Streams of CONNECT, opened by the peer. */
  openedByPeer(...ids: readonly number[]): { readonly stream: Http2Stream; readonly heard: Heard }[] {
    this.recv(...ids.map((id) => frame(HEADERS, END_HEADERS, id, connectBlock())));
    return this.requests.slice(-ids.length);
  }
}

/** `[type, stream, first number of the payload]` of each frame. */
export function brief(frames: readonly Frame[]): (readonly number[])[] {
  return frames.map(({ type, stream, payload }) =>
    payload.length >= 4 && type !== 0 ? [type, stream, payload.readUInt32BE(payload.length - 4)] : [type, stream],
  );
}

export const PRIORITY = 2;
export const UNKNOWN = 99;
export const ok: Buffer = headerBlock([':status', '200']);
export const open = (id: number, flags: number = END_HEADERS): Buffer => frame(HEADERS, flags, id, connectBlock());
export const data = (id: number, text: string, flags = 0): Buffer => frame(DATA, flags, id, Buffer.from(text));

/** A client's connection with one stream, answered unless told otherwise. */
export function client(answered = true): { readonly rig: ConnectionRig; readonly heard: Heard } {
  const rig = ConnectionRig.greeted({ role: 'client' });
  const heard = new Heard();
  rig.connection.open([':method', 'CONNECT', ':authority', 'a:1'], heard);
  if (answered) rig.recv(frame(HEADERS, END_HEADERS, 1, ok));
  rig.sent();
  return { rig, heard };
}
