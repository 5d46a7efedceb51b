/**
 * TCP segments back to byte streams: in sequence order, retransmissions once, the first copy of a byte wins.
 * A sequence number is 32 bits and wraps (RFC 9293 section 3.4); offsets here are whole numbers from the stream's start.
 */
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import type { Packet, TcpSegment } from './packet.ts';

export type ByteStream = {
  readonly bytes: Buffer;
  /** Bytes that were sent but not captured; what follows them was joined on. */
  readonly missing: number;
};

export type TcpConnection = {
  /** Who sent the SYN; when none was captured, who spoke first. */
  readonly client: SocketAddress;
  readonly server: SocketAddress;
  readonly toServer: ByteStream;
  readonly toClient: ByteStream;
  /** True when the capture has the beginning of both directions and every byte since. */
  readonly isWhole: boolean;
};

type Piece = { readonly at: number; readonly bytes: Uint8Array };

type Half = {
  /** Sequence number of offset 0: the byte after the SYN, else the first byte seen. */
  start: number | undefined;
  sawSyn: boolean;
  /** The furthest offset so far, from which the next one is told. */
  position: number;
  readonly pieces: Piece[];
};

type Open = { readonly client: SocketAddress; readonly server: SocketAddress; readonly toServer: Half; readonly toClient: Half };

/** Every connection of a capture, in the order of their first packets. */
export function reassemble(packets: readonly Packet[]): readonly TcpConnection[] {
  const open = new Map<string, Open>();
  const all: Open[] = [];
  for (const { content } of packets) {
    if (content.kind !== 'tcp') continue;
    const key = keyOf(content);
    const known = open.get(key);
    const connection = known === undefined || isNewAttempt(known, content) ? begin(content) : known;
    if (connection !== known) {
      open.set(key, connection);
      all.push(connection);
    }
    take(connection, content);
  }
  return all.map(finish);
}

function keyOf(segment: TcpSegment): string {
  return [segment.source, segment.destination].map(formatSocketAddress).sort().join(' ');
}

/** A SYN with another initial number on the same ports is the next connection, not a retransmission. */
function isNewAttempt(known: Open, segment: TcpSegment): boolean {
  if (!segment.flags.syn || segment.flags.ack) return false;
  return !isSame(known.client, segment.source) || known.toServer.start !== (segment.sequence + 1) >>> 0;
}

function begin(segment: TcpSegment): Open {
  const isAnswer = segment.flags.syn && segment.flags.ack;
  const client = isAnswer ? segment.destination : segment.source;
  const server = isAnswer ? segment.source : segment.destination;
  return { client, server, toServer: emptyHalf(), toClient: emptyHalf() };
}

function take(connection: Open, segment: TcpSegment): void {
  const half = isSame(segment.source, connection.client) ? connection.toServer : connection.toClient;
  // The SYN itself takes one number (RFC 9293 section 3.4).
  const first = segment.flags.syn ? (segment.sequence + 1) >>> 0 : segment.sequence;
  if (!segment.flags.syn && segment.payload.length === 0) return;
  half.start ??= first;
  half.sawSyn ||= segment.flags.syn && half.start === first;
  if (segment.payload.length === 0) return;
  const at = half.position + signed32(first - half.start - half.position);
  half.position = Math.max(half.position, at);
  half.pieces.push({ at, bytes: segment.payload });
}

/** The difference nearest to zero: a segment is never 2 GiB away from the one before. */
function signed32(difference: number): number {
  return difference | 0;
}

function finish({ client, server, toServer, toClient }: Open): TcpConnection {
  const [up, down] = [join(toServer), join(toClient)];
  const isWhole = [toServer, toClient].every(({ sawSyn, pieces }) => sawSyn || pieces.length === 0);
  return { client, server, toServer: up, toClient: down, isWhole: isWhole && up.missing === 0 && down.missing === 0 };
}

function join(half: Half): ByteStream {
  const pieces = half.pieces.toSorted((left, right) => left.at - right.at);
  const parts: Uint8Array[] = [];
  let end = half.sawSyn ? 0 : (pieces[0]?.at ?? 0);
  let missing = 0;
  for (const { at, bytes } of pieces) {
    if (at + bytes.length <= end) continue;
    missing += Math.max(0, at - end);
    parts.push(bytes.subarray(Math.max(0, end - at)));
    end = at + bytes.length;
  }
  return { bytes: Buffer.concat(parts), missing };
}

function emptyHalf(): Half {
  return { start: undefined, sawSyn: false, position: 0, pieces: [] };
}

function isSame(left: SocketAddress, right: SocketAddress): boolean {
  return left.ip === right.ip && left.port === right.port;
}
