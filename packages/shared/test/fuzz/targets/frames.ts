/**
 * A connection fed by any bytes in any chunks (the first two of the input say which side it is and how it is cut up).
 *
 * - Nothing throws; a violation comes once, with GOAWAY as the last frame, and nothing is heard after it.
 * - What is sent is whole frames; what is owed and what is open stays within the bounds.
 * - The chunks make no difference.
 * - Every stream's owner hears of its end at most once, and after `lose` none is open.
 */
import { isDeepStrictEqual } from 'node:util';
import { Http2Connection } from '@clearmesh/shared/http2/connection';
import type { Violation } from '@clearmesh/shared/http2/connection-parts';
import { frameType } from '@clearmesh/shared/http2/frame';
import { Slabs } from '@clearmesh/shared/http2/outbox';
import { UnreadBudget } from '../../../src/http2/unread-budget.ts';
import type { Http2Stream, StreamEvents } from '@clearmesh/shared/http2/stream';
import { Draw } from '@clearmesh/shared/testing/draw';
import { framesIn, frame, preface } from '../../tunnel/raw-frames.ts';
import type { Frame } from '../../tunnel/raw-frames.ts';
import { randomBytes } from '../mutate.ts';
import { must } from '../target.ts';
import type { FuzzTarget } from '../target.ts';

const maxStreams = 4;
const maxFrame = 16_384;
/** What connection.ts lets a peer be owed, and what the frame that goes beyond adds. */
const maxOwed = 1024 * 1024 + maxFrame;

/** One stream as its owner hears of it. */
class Owner implements StreamEvents {
  readonly heard: string[] = [];
  #data = 0;
  #over = false;
  readonly #consume: ((bytes: number) => void) | undefined;

  constructor(consume?: (bytes: number) => void) {
    this.#consume = consume;
  }

  recvHeaders(fields: readonly string[]): void {
    this.#hear(`headers ${fields.join(' ')}`);
  }

  recvData(bytes: Buffer): void {
    must(!this.#over, () => 'data for a stream that is over');
    this.#data += bytes.length;
    this.#consume?.(bytes.length);
  }

  recvEnd(): void {
    this.#hear('end');
  }

  recvReset(code: number): void {
    this.#hear(`reset ${code}`);
    this.#over = true;
  }

  recvCapacity(): void {}

  recvLost(): void {
    this.#hear('lost');
    this.#over = true;
  }

  #hear(event: string): void {
    must(!this.#over, () => `${event} for a stream that is over, after ${this.heard.join(', ')}`);
    this.heard.push(event, `${this.#data} bytes`);
  }
}

type Story = { readonly requests: readonly string[]; readonly streams: readonly (readonly string[])[]; readonly end: string };

class Rig {
  readonly connection: Http2Connection;
  readonly #owners: { readonly stream: Http2Stream; readonly owner: Owner }[] = [];
  readonly #requests: string[] = [];
  #violation: Violation | undefined;
  #wasOver = false;

  constructor(client: boolean, consumes: boolean) {
    const allowance = (left: number) => ({ take: () => (left -= 1) >= 0 });
    const consume = (stream: Http2Stream) => (bytes: number) => this.connection.consume(stream, bytes);
    this.connection = new Http2Connection(
      {
        role: client ? 'client' : 'server',
        streamWindow: 70_000,
        connectionWindow: 100_000,
        maxFrame,
        maxHeaderList: 2048,
        maxConcurrentStreams: maxStreams,
      },
      {
        slabs: new Slabs(1),
        unread: new UnreadBudget(50_000),
        allowances: { control: allowance(200), resets: allowance(100), useless: allowance(100) },
        events: {
          recvRequest: (stream, fields) => {
            this.#live('a request');
            const owner = new Owner(consumes ? consume(stream) : undefined);
            stream.events = owner;
            this.#owners.push({ stream, owner });
            this.#requests.push(`${stream.id} ${fields.join(' ')}`);
            if (stream.id % 3 === 0) this.connection.answer(stream, [':status', '200'], false);
          },
          recvSettings: () => this.#live('settings'),
          recvPong: () => this.#live('a pong'),
          recvGoaway: () => this.#live('a GOAWAY'),
          recvViolation: (violation) => {
            must(this.#violation === undefined, () => `a second violation: ${violation.detail}`);
            this.#violation = violation;
          },
          recvPending: () => {},
        },
      },
    );
    this.connection.greet();
    if (client) for (let count = 0; count < 2; count += 1) this.#open(consumes);
  }

  feed(bytes: Buffer): void {
    this.#wasOver = this.#violation !== undefined;
    this.connection.recv(bytes);
    const open = this.#owners.filter(({ stream }) => stream.state !== 'closed').length;
    must(open <= maxStreams, () => `${open} streams are open, of ${maxStreams} allowed`);
    must(this.connection.outbox.length <= maxOwed, () => `${this.connection.outbox.length} bytes are owed`);
  }

  end(): Story {
    const { bytes } = this.connection.outbox.take();
    const own = bytes.subarray(0, preface.length).equals(preface) ? bytes.subarray(preface.length) : bytes;
    const frames = framesIn(own);
    const length = frames.reduce((sum, { payload }) => sum + payload.length + 9, 0);
    must(length === own.length, () => `${own.length - length} bytes of what was sent are no whole frame`);
    if (this.#violation !== undefined)
      must(frames.at(-1)?.type === frameType.goaway, () => `the last frame after a violation is no GOAWAY`);
    this.connection.recvRoom();
    this.connection.lose();
    for (const { stream } of this.#owners) must(stream.state === 'closed', () => `stream ${stream.id} outlives its connection`);
    this.connection.lose();
    const end = this.#violation === undefined ? 'open' : `${this.#violation.kind}: ${this.#violation.detail}`;
    return { requests: this.#requests, streams: this.#owners.map(({ owner }) => owner.heard), end };
  }

  #open(consumes: boolean): void {
    let own: Http2Stream | undefined;
    const owner = new Owner(consumes ? (bytes) => own && this.connection.consume(own, bytes) : undefined);
    const fields = [':method', 'CONNECT', ':authority', '10.0.0.1:80'];
    own = this.connection.open(fields, owner);
    this.#owners.push({ stream: own, owner });
  }

  #live(what: string): void {
    must(!this.#wasOver && this.#violation === undefined, () => `${what} after the violation`);
  }
}

function tell(input: Uint8Array, whole: boolean, consumes: boolean): Story {
  const draw = new Draw(input[1] ?? 0, 0);
  const bytes = Buffer.from(input.subarray(2));
  const rig = new Rig(((input[0] ?? 0) & 1) === 1, consumes);
  for (let at = 0; at < bytes.length;) {
    const length = whole ? bytes.length : draw.chance(0.5) ? draw.int(1, 12) : draw.int(1, 2000);
    // A copy that is overwritten afterwards: the bytes are the caller's again (R4 of frame-reader.ts).
    const chunk = Buffer.from(bytes.subarray(at, at + length));
    rig.feed(chunk);
    chunk.fill(0xee);
    at += length;
  }
  return rig.end();
}

function run(input: Uint8Array): string {
  // Windows are given back by pieces, so that only who gives none back may compare.
  const whole = tell(input, true, false);
  const pieces = tell(input, false, false);
  must(isDeepStrictEqual(whole, pieces), () => `in one piece: ${JSON.stringify(whole)}, in chunks: ${JSON.stringify(pieces)}`);
  tell(input, false, true);
  const heard = new Set(whole.streams.flat().map((event) => event.split(' ')[0] ?? ''));
  return `${whole.end} ${whole.requests.length} ${[...heard].toSorted((a, b) => a.localeCompare(b)).join(' ')}`;
}

/** What a client of our own says, with streams, data, pings and ends; and what a server answers. */
function conversation(draw: Draw): readonly Uint8Array[] {
  const quiet = {
    recvRequest: () => {},
    recvSettings: () => {},
    recvPong: () => {},
    recvGoaway: () => {},
    recvViolation: () => {},
  };
  const owner = { recvHeaders: () => {}, recvData: () => {}, recvEnd: () => {}, recvReset: () => {}, recvCapacity: () => {} };
  const allowances = { control: { take: () => true }, resets: { take: () => true }, useless: { take: () => true } };
  const settings = { streamWindow: 70_000, connectionWindow: 100_000, maxFrame, maxHeaderList: 2048, maxConcurrentStreams: 4 };
  const side = (role: 'client' | 'server', recvRequest: (stream: Http2Stream) => void): Http2Connection =>
    new Http2Connection(
      { role, ...settings },
      {
        slabs: new Slabs(1),
        unread: new UnreadBudget(50_000),
        allowances,
        events: { ...quiet, recvRequest, recvPending: () => {} },
      },
    );
  const server: Http2Connection = side('server', (stream) => {
    stream.events = { ...owner, recvLost: () => {} };
    server.answer(stream, draw.chance(0.8) ? [':status', '200', 'x', 'y'] : [':status', '503'], draw.chance(0.2));
    server.sendData(stream, randomBytes(draw, draw.int(0, 200)), 0);
  });
  const client = side('client', () => {});
  client.greet();
  server.greet();
  const said: Record<'client' | 'server', Buffer[]> = { client: [], server: [] };
  const exchange = (): void => {
    const up = Buffer.from(client.outbox.take().bytes);
    server.recv(up);
    const down = Buffer.from(server.outbox.take().bytes);
    client.recv(down);
    said.client.push(up);
    said.server.push(down);
  };
  exchange();
  for (let count = draw.int(1, 4); count > 0 && client.mayOpen; count -= 1) {
    const stream = client.open([':method', 'CONNECT', ':authority', `10.0.0.${count}:80`, 'baggage', 'k8s.pod.name=a'], {
      ...owner,
      recvLost: () => {},
    });
    exchange();
    client.sendData(stream, randomBytes(draw, draw.int(0, 300)), 0);
    if (draw.chance(0.3)) client.ping();
    const way = draw.int(0, 3);
    if (way < 2) client.sendEnd(stream);
    else if (way === 2) client.reset(stream, 8);
    exchange();
  }
  if (draw.chance(0.3)) client.goaway();
  exchange();
  return [input(0, draw, said.client), input(1, draw, said.server)];
}

/** @param side of the connection that is to be fed: 1 is the client */
function input(side: 0 | 1, draw: Draw, said: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Buffer.from([side, draw.int(0, 255)]), ...said]);
}

/** Frames left out, twice, changed in order, type, flags or stream, or made up; their lengths stay right. */
function mutateFrames(whole: Uint8Array, draw: Draw): Uint8Array {
  const bytes = Buffer.from(whole);
  const start = bytes.subarray(2, 2 + preface.length).equals(preface) ? 2 + preface.length : 2;
  const frames = framesIn(bytes.subarray(start));
  for (let left = draw.int(1, 5); left > 0; left -= 1) {
    const at = draw.int(0, frames.length);
    const found = frames[at];
    const kind = draw.int(0, 4);
    if (kind === 0 || found === undefined) frames.splice(at, 0, anyFrame(draw));
    else if (kind === 1) frames.splice(at, 1);
    else if (kind === 2)
      frames.splice(draw.int(0, frames.length), 0, ...Array.from({ length: draw.pick([1, 1, 3, 120]) }, () => found));
    else frames[at] = changed(found, draw);
  }
  const made = frames.map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload));
  return Buffer.concat([bytes.subarray(0, start), ...made]);
}

function changed(found: Frame, draw: Draw): Frame {
  return {
    type: draw.chance(0.2) ? draw.int(0, 11) : found.type,
    flags: draw.chance(0.5) ? draw.pick([0, 1, 4, 5, 8, 9, 0x20, 0x2d, 0xff]) : found.flags,
    stream: draw.chance(0.3) ? anyStream(draw) : found.stream,
    payload: draw.chance(0.3) ? randomBytes(draw, draw.int(0, 40)) : found.payload,
  };
}

function anyFrame(draw: Draw): Frame {
  const length = draw.pick([0, 1, 4, 5, 6, 8, 12, 40, 300]);
  const flags = draw.pick([0, 1, 4, 5, 8, 9, 0x20, 0x2d]);
  return { type: draw.int(0, 10), flags, stream: anyStream(draw), payload: randomBytes(draw, length) };
}

function anyStream(draw: Draw): number {
  return draw.pick([0, 1, 1, 2, 3, 3, 5, 7, 9, 0x7fff_ffff, 0x8000_0001]);
}

export const frames: FuzzTarget = {
  name: 'frames',
  corpus: (draw) => Array.from({ length: 24 }, () => conversation(draw)).flat(),
  run,
  mutate: mutateFrames,
};
