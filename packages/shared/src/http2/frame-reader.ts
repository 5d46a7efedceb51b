/**
 * Bytes to frames (RFC 9113 section 4.1).
 *
 *   preface (server only) ─▶ header ── DATA ──▶ data ─▶ skipping (its padding) ─▶ header
 *                              ├── let in ────▶ gathering ─▶ header
 *                              └── passed over ─▶ skipping ─▶ header
 *   any ── the sink says so, or what is no HTTP/2 ──▶ over
 *
 * R1  DATA is never gathered: a frame of a megabyte is handed on in the pieces in which it arrives.
 * R2  Any other payload is gathered, once the sink let it in: it knows the length by then, and so bounds the memory.
 * R3  Once the connection is over, no further byte is looked at.
 * R4  The bytes are the caller's again when `recv` returns; whoever keeps any of them keeps a copy.
 */
import { errorCode } from './error-code.ts';
import { flag, frameHeaderBytes, frameType, preface } from './frame.ts';

/** What the sink says of a frame's header; `over` ends the connection (R3). */
export type HeaderVerdict = 'take' | 'skip' | 'over';

export interface FrameSink {
  recvFrameHeader(type: number, flags: number, stream: number, length: number): HeaderVerdict;
  /** A part of the data of the frame that began (R4); false: over. */
  recvDataPiece(bytes: Buffer): boolean;
  /** All of its data was there; false: over. */
  recvDataEnd(): boolean;
  /** Any frame but DATA (R4); false: over. */
  recvFrame(type: number, flags: number, stream: number, payload: Buffer): boolean;
  /** Bytes in which no frame can be told. */
  recvGarbage(code: number, detail: string): void;
}

type State = 'preface' | 'header' | 'gathering' | 'data' | 'skipping' | 'over';

const nothing: Buffer = Buffer.alloc(0);

export class FrameReader {
  readonly #sink: FrameSink;
  #state: State;
  /** R4. The beginning of a header, or of the preface. */
  #held: Buffer = nothing;
  #type = 0;
  #flags = 0;
  #stream = 0;
  #left = 0;
  #paddingLeft = 0;
  #gathered: Buffer = nothing;

  /** @param role of this side: a server reads the preface first */
  constructor(role: 'client' | 'server', sink: FrameSink) {
    this.#state = role === 'server' ? 'preface' : 'header';
    this.#sink = sink;
  }

  recv(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    for (let next = 0; next >= 0; next = this.#step(bytes, at)) at = next;
    this.#held = at < bytes.length && this.#state !== 'over' ? Buffer.from(bytes.subarray(at)) : nothing;
  }

  /** R3. */
  stop(): void {
    this.#state = 'over';
    this.#held = nothing;
    this.#gathered = nothing;
  }

  /** Where to go on, or -1: what is left, if anything, needs more bytes to be understood. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'header':
        return this.#recvHeader(bytes, at);
      case 'data':
        return this.#recvData(bytes, at);
      case 'skipping':
        return this.#skip(bytes, at);
      case 'gathering':
        return this.#gather(bytes, at);
      case 'preface':
        return this.#recvPreface(bytes);
      case 'over':
        return -1;
    }
  }

  /** Section 3.4. */
  #recvPreface(bytes: Buffer): number {
    const length = Math.min(bytes.length, preface.length);
    if (bytes.compare(preface, 0, length, 0, length) !== 0)
      return this.#garbage(errorCode.PROTOCOL_ERROR, 'the connection does not begin with the preface of HTTP/2');
    if (length < preface.length) return -1;
    this.#state = 'header';
    return length;
  }

  #recvHeader(bytes: Buffer, at: number): number {
    const body = at + frameHeaderBytes;
    if (body > bytes.length) return -1;
    const length = (byteAt(bytes, at) << 16) | (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2);
    const type = byteAt(bytes, at + 3);
    const flags = byteAt(bytes, at + 4);
    // The length of its padding counts as part of a DATA frame's header here.
    const padded = type === frameType.data && (flags & flag.padded) !== 0;
    if (padded && length > 0 && body === bytes.length) return -1;
    const stream =
      ((byteAt(bytes, at + 5) & 0x7f) << 24) |
      (byteAt(bytes, at + 6) << 16) |
      (byteAt(bytes, at + 7) << 8) |
      byteAt(bytes, at + 8);
    const verdict = this.#sink.recvFrameHeader(type, flags, stream, length);
    if (verdict === 'over') return this.#over();
    this.#left = length;
    this.#paddingLeft = 0;
    if (verdict === 'skip') this.#state = 'skipping';
    else if (type !== frameType.data) return this.#beginGathering(bytes, body, type, flags, stream);
    else if (padded) return this.#recvPadding(bytes, body);
    else this.#state = 'data';
    return body;
  }

  /** Section 6.1: padding that leaves no room for itself is PROTOCOL_ERROR. */
  #recvPadding(bytes: Buffer, body: number): number {
    if (this.#left === 0) return this.#garbage(errorCode.FRAME_SIZE_ERROR, 'DATA has no room for the length of its padding');
    this.#paddingLeft = byteAt(bytes, body);
    this.#left -= 1 + this.#paddingLeft;
    if (this.#left < 0) return this.#garbage(errorCode.PROTOCOL_ERROR, 'DATA has more padding than payload');
    this.#state = 'data';
    return body + 1;
  }

  /** R1. */
  #recvData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (end > at && !this.#sink.recvDataPiece(bytes.subarray(at, end))) return this.#over();
    if (this.#left > 0) return end > at ? end : -1;
    this.#state = this.#paddingLeft > 0 ? 'skipping' : 'header';
    this.#left = this.#paddingLeft;
    if (!this.#sink.recvDataEnd()) return this.#over();
    return end;
  }

  #skip(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left > 0) return end > at ? end : -1;
    this.#state = 'header';
    return end;
  }

  /** R2. Most frames are whole already. */
  #beginGathering(bytes: Buffer, body: number, type: number, flags: number, stream: number): number {
    const end = body + this.#left;
    if (end <= bytes.length) {
      if (!this.#sink.recvFrame(type, flags, stream, bytes.subarray(body, end))) return this.#over();
      return end;
    }
    this.#type = type;
    this.#flags = flags;
    this.#stream = stream;
    this.#gathered = Buffer.allocUnsafe(this.#left);
    this.#state = 'gathering';
    return body;
  }

  #gather(bytes: Buffer, at: number): number {
    const copied = bytes.copy(this.#gathered, this.#gathered.length - this.#left, at);
    this.#left -= copied;
    if (this.#left > 0) return copied > 0 ? at + copied : -1;
    const payload = this.#gathered;
    this.#gathered = nothing;
    this.#state = 'header';
    if (!this.#sink.recvFrame(this.#type, this.#flags, this.#stream, payload)) return this.#over();
    return at + copied;
  }

  #garbage(code: number, detail: string): number {
    this.stop();
    this.#sink.recvGarbage(code, detail);
    return -1;
  }

  #over(): number {
    this.stop();
    return -1;
  }
}

/** A place that is known to be there. */
function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] as number;
}
