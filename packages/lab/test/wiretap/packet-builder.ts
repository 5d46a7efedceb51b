/** Frames and capture files made by hand. */
import { pcapFileHeader, pcapRecordHeader } from '../../src/wiretap/pcap-writer.ts';

export type SegmentSpec = {
  readonly from: string;
  readonly to: string;
  readonly sequence?: number;
  readonly flags?: string;
  readonly payload?: Uint8Array | string;
};

const flagBits: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, A: 16 };

/** `10.0.0.1:80` to its four bytes and port. */
function endpoint(text: string): { readonly ip: Buffer; readonly port: number } {
  const [ip = '', port] = text.split(':');
  return { ip: Buffer.from(ip.split('.').map(Number)), port: Number(port) };
}

/** An Ethernet header of the given type and what follows it. */
export function ethernet(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(14);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, body]);
}

export function ipv4(from: string, to: string, protocol: number, body: Uint8Array, fragment = 0): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + body.length, 2);
  header.writeUInt16BE(fragment, 6);
  header[9] = protocol;
  endpoint(from).ip.copy(header, 12);
  endpoint(to).ip.copy(header, 16);
  return Buffer.concat([header, body]);
}

export function tcp(spec: SegmentSpec): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(endpoint(spec.from).port, 0);
  header.writeUInt16BE(endpoint(spec.to).port, 2);
  header.writeUInt32BE((spec.sequence ?? 0) >>> 0, 4);
  header[12] = 5 << 4;
  header[13] = Array.from(spec.flags ?? 'A').reduce((bits, flag) => bits | (flagBits[flag] ?? 0), 0);
  return Buffer.concat([header, Buffer.from(spec.payload ?? '')]);
}

/** A whole frame with one TCP segment in IPv4. */
export function tcpFrame(spec: SegmentSpec): Buffer {
  return ethernet(0x0800, ipv4(spec.from, spec.to, 6, tcp(spec)));
}

/** A capture file of these frames, one a second. */
export function pcapFile(frames: readonly Uint8Array[]): Buffer {
  const records = frames.flatMap((frame, index) => [pcapRecordHeader((index + 1) * 1e6, frame.length), frame]);
  return Buffer.concat([pcapFileHeader(), ...records]);
}

type Bytes = Uint8Array | string;

/** A connection from its SYN on, whose client and server speak in turn, the client first. */
export function conversation(client: string, server: string, turns: readonly Bytes[]): Buffer[] {
  const next = { [client]: 1000, [server]: 5000 };
  const frames = [
    tcpFrame({ from: client, to: server, sequence: next[client]! - 1, flags: 'S' }),
    tcpFrame({ from: server, to: client, sequence: next[server]! - 1, flags: 'SA' }),
  ];
  for (const [index, turn] of turns.entries()) {
    const [from, to] = index % 2 === 0 ? [client, server] : [server, client];
    const bytes = Buffer.from(turn);
    // Segments of 1000 bytes, as a link would cut them.
    for (let at = 0; at < bytes.length; at += 1000) {
      const payload = bytes.subarray(at, at + 1000);
      frames.push(tcpFrame({ from, to, sequence: next[from]!, payload }));
      next[from]! += payload.length;
    }
  }
  return frames;
}
