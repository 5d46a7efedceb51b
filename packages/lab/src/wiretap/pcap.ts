/**
 * Capture files in the classic format (draft-ietf-opsawg-pcap), read while they grow:
 *
 *   header ── 24 bytes ──▶ records ── bytes that cannot be ──▶ invalid
 *
 * Both byte orders and both resolutions; Ethernet only. Never throws.
 */
import { parseFrame } from './frame.ts';
import type { Packet } from './packet.ts';

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LINKTYPE_ETHERNET = 1;
/** tcpdump's own largest snapshot length; a longer record means that the file is broken. */
const maxCapturedBytes = 262_144;

type Layout = { readonly littleEndian: boolean; readonly unitsPerMicrosecond: 1 | 1000 };

type State =
  | { readonly kind: 'header' }
  | { readonly kind: 'records'; readonly layout: Layout }
  | { readonly kind: 'invalid'; readonly reason: string };

export class PcapDecoder {
  #state: State = { kind: 'header' };
  #rest: Uint8Array = new Uint8Array(0);

  /** Why the bytes are no capture file; `undefined` while they are one. */
  get failure(): string | undefined {
    return this.#state.kind === 'invalid' ? this.#state.reason : undefined;
  }

  /** Bytes of a header or record that is not complete yet. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  /** The packets that these bytes completed. Packets are views of the chunk: it must not be written to again. */
  push(chunk: Uint8Array): readonly Packet[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#state.kind === 'header' && this.#rest.length >= FILE_HEADER_BYTES) this.#readHeader();
    const packets: Packet[] = [];
    while (this.#state.kind === 'records') {
      const packet = this.#readRecord(this.#state.layout);
      if (packet === undefined) break;
      packets.push(packet);
    }
    if (this.#state.kind === 'invalid') this.#rest = new Uint8Array(0);
    return packets;
  }

  #readHeader(): void {
    const layout = layoutOf(view(this.#rest).getUint32(0, true));
    if (layout === undefined) return this.#fail('the first bytes are not those of a pcap file');
    const linkType = view(this.#rest).getUint32(20, layout.littleEndian) & 0xffff;
    if (linkType !== LINKTYPE_ETHERNET) return this.#fail(`link type ${linkType} is not Ethernet`);
    this.#rest = this.#rest.subarray(FILE_HEADER_BYTES);
    this.#state = { kind: 'records', layout };
  }

  #readRecord({ littleEndian, unitsPerMicrosecond }: Layout): Packet | undefined {
    if (this.#rest.length < RECORD_HEADER_BYTES) return undefined;
    const header = view(this.#rest);
    const captured = header.getUint32(8, littleEndian);
    if (captured > maxCapturedBytes) {
      this.#fail(`a record claims ${captured} bytes`);
      return undefined;
    }
    const end = RECORD_HEADER_BYTES + captured;
    if (this.#rest.length < end) return undefined;
    const fraction = Math.floor(header.getUint32(4, littleEndian) / unitsPerMicrosecond);
    const atUs = header.getUint32(0, littleEndian) * 1e6 + fraction;
    const content = parseFrame(this.#rest.subarray(RECORD_HEADER_BYTES, end));
    this.#rest = this.#rest.subarray(end);
    return { atUs, length: header.getUint32(12, littleEndian), content };
  }

  #fail(reason: string): void {
    this.#state = { kind: 'invalid', reason };
  }
}

/** By the magic number as read in little-endian order. */
function layoutOf(magic: number): Layout | undefined {
  switch (magic) {
    case 0xa1b2c3d4:
      return { littleEndian: true, unitsPerMicrosecond: 1 };
    case 0xa1b23c4d:
      return { littleEndian: true, unitsPerMicrosecond: 1000 };
    case 0xd4c3b2a1:
      return { littleEndian: false, unitsPerMicrosecond: 1 };
    case 0x4d3cb2a1:
      return { littleEndian: false, unitsPerMicrosecond: 1000 };
    default:
      return undefined;
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
