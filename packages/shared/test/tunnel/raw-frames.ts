/**
 * HTTP/2 by hand (RFC 9113 section 4.1), for peers that do just what a test says: no state, no flow control, and header
 * blocks of literals without Huffman (RFC 7541 section 6.2.2).
 */
import type { Duplex } from 'node:stream';
import { bounded } from './bounded.ts';

export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

/** RFC 9113 section 3.4. */
export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export type Frame = { readonly type: number; readonly flags: number; readonly stream: number; readonly payload: Buffer };

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, i * 4));
  return bytes;
}

export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(SETTINGS, 0, 0, payload);
}

export function headerBlock(...headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

export function connectBlock(authority = '10.0.0.1:80', ...more: readonly (readonly [string, string])[]): Buffer {
  return headerBlock([':method', 'CONNECT'], [':authority', authority], ...more);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([integer(bytes.length), bytes]);
}

/** RFC 7541 section 5.1 with a prefix of 7 bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** Frames that are whole. */
export function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let rest = bytes; rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3);) {
    const end = 9 + rest.readUIntBE(0, 3);
    const [type = 0, flags = 0] = rest.subarray(3, 5);
    frames.push({ type, flags, stream: rest.readUInt32BE(5), payload: rest.subarray(9, end) });
    rest = rest.subarray(end);
  }
  return frames;
}

/** One end of a connection as frames. */
export class RawPeer {
  readonly transport: Duplex;
  readonly frames: Frame[] = [];
  readonly closed: Promise<void>;
  #rest: Buffer = Buffer.alloc(0);
  #prefaceLeft: number;
  #wake: () => void = () => {};

  /** @param role what this end is; a server first reads the client's preface */
  constructor(transport: Duplex, role: 'client' | 'server') {
    this.transport = transport;
    this.#prefaceLeft = role === 'server' ? preface.length : 0;
    transport.on('error', () => {});
    transport.on('data', (chunk: Buffer) => this.#recv(chunk));
    this.closed = new Promise((resolve) => transport.once('close', () => resolve()));
    void this.closed.then(() => this.#wake());
  }

  send(...parts: readonly Uint8Array[]): void {
    if (!this.transport.destroyed) this.transport.write(Buffer.concat(parts));
  }

  /** The first frame of that type, and stream if given, that was not taken before. */
  async take(type: number, stream?: number): Promise<Frame> {
    for (;;) {
      const at = this.frames.findIndex((frame) => frame.type === type && (stream === undefined || frame.stream === stream));
      const [found] = at < 0 ? [] : this.frames.splice(at, 1);
      if (found !== undefined) return found;
      if (this.transport.destroyed)
        throw new Error(`closed without a frame of type ${type}; left: ${JSON.stringify(this.frames)}`);
      await bounded(new Promise<void>((resolve) => (this.#wake = resolve)), `frame of type ${type}`);
    }
  }

  #recv(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.#rest.length < this.#prefaceLeft) return;
    this.#rest = this.#rest.subarray(this.#prefaceLeft);
    this.#prefaceLeft = 0;
    const frames = framesIn(this.#rest);
    for (const { payload } of frames) this.#rest = this.#rest.subarray(9 + payload.length);
    this.frames.push(...frames);
    this.#wake();
  }
}

/** SETTINGS as [id, value] pairs. */
export function readSettings({ payload }: Frame): readonly (readonly [number, number])[] {
  return Array.from(
    { length: payload.length / 6 },
    (_, i) => [payload.readUInt16BE(i * 6), payload.readUInt32BE(i * 6 + 2)] as const,
  );
}
