/**
 * Header blocks (RFC 9113 sections 4.3, 6.2 and 6.10): HEADERS, then CONTINUATION until END_HEADERS, then decoded.
 *
 * B1  A block has so many bytes and frames and no more: neither an endless one nor one of empty frames is gathered
 *     (CVE-2024-27983, CVE-2024-27316).
 * B2  Padding and priority of HEADERS are cut off; more padding than payload is PROTOCOL_ERROR (section 6.2).
 * B3  Every block is decoded, also one that nobody wants: both sides' tables must stay the same (section 4.3).
 */
import { errorCode } from './error-code.ts';
import { flag } from './frame.ts';
import type { FrameFault } from './frame-rules.ts';
import { HpackDecoder } from './hpack-decoder.ts';

export type HeaderOutcome =
  | { readonly kind: 'more' }
  | { readonly kind: 'fields'; readonly stream: number; readonly endStream: boolean; readonly fields: readonly string[] }
  /** A stream error only. */
  | { readonly kind: 'too-large'; readonly stream: number }
  | { readonly kind: 'flood'; readonly detail: string }
  | ({ readonly kind: 'fault' } & FrameFault);

/** Copies: a payload is good until the next one. */
type Gathering = { readonly stream: number; readonly endStream: boolean; readonly parts: Buffer[]; length: number };

const maxFrames = 32;
const priorityBytes = 5;
/** A list that is longer than agreed is still read this far, so that its stream ends and not the connection. */
const slack = 4;

const more: HeaderOutcome = { kind: 'more' };

export class HeaderReader {
  readonly #maxBytes: number;
  readonly #decoder: HpackDecoder;
  #gathering: Gathering | undefined;

  /** @param maxHeaderList bytes, each field with 32 more */
  constructor(maxHeaderList: number) {
    this.#maxBytes = maxHeaderList * slack;
    this.#decoder = new HpackDecoder({ maxListBytes: maxHeaderList });
  }

  /** The stream whose block is not complete yet. */
  get open(): number | undefined {
    return this.#gathering?.stream;
  }

  recvHeaders(flags: number, stream: number, payload: Buffer): HeaderOutcome {
    const fragment = fragmentOf(flags, payload);
    if (fragment === undefined)
      return { kind: 'fault', code: errorCode.PROTOCOL_ERROR, detail: 'HEADERS have more padding than payload' };
    const endStream = (flags & flag.endStream) !== 0;
    if ((flags & flag.endHeaders) !== 0) return this.#decode(stream, endStream, fragment);
    this.#gathering = { stream, endStream, parts: [Buffer.from(fragment)], length: fragment.length };
    return this.#bounded(this.#gathering);
  }

  recvContinuation(flags: number, payload: Buffer): HeaderOutcome {
    const gathering = this.#gathering;
    if (gathering === undefined)
      return { kind: 'fault', code: errorCode.PROTOCOL_ERROR, detail: 'CONTINUATION of no header block' };
    gathering.parts.push(Buffer.from(payload));
    gathering.length += payload.length;
    const outcome = this.#bounded(gathering);
    if (outcome !== more || (flags & flag.endHeaders) === 0) return outcome;
    this.#gathering = undefined;
    return this.#decode(gathering.stream, gathering.endStream, Buffer.concat(gathering.parts));
  }

  /** B1. */
  #bounded({ parts, length }: Gathering): HeaderOutcome {
    if (parts.length <= maxFrames && length <= this.#maxBytes) return more;
    return { kind: 'flood', detail: `a header block of more than ${parts.length} frames or ${length} bytes` };
  }

  /** B3. */
  #decode(stream: number, endStream: boolean, block: Buffer): HeaderOutcome {
    if (block.length > this.#maxBytes) return { kind: 'flood', detail: `a header block of ${block.length} bytes` };
    const decoded = this.#decoder.decode(block);
    switch (decoded.kind) {
      case 'fields':
        return { kind: 'fields', stream, endStream, fields: decoded.fields };
      case 'too-large':
        return { kind: 'too-large', stream };
      case 'broken':
        return { kind: 'fault', code: errorCode.COMPRESSION_ERROR, detail: decoded.detail };
    }
  }
}

/** B2. */
function fragmentOf(flags: number, payload: Buffer): Buffer | undefined {
  const padded = (flags & flag.padded) !== 0;
  const from = (padded ? 1 : 0) + ((flags & flag.priority) === 0 ? 0 : priorityBytes);
  const to = payload.length - (padded ? (payload[0] ?? 0) : 0);
  return from <= to ? payload.subarray(from, to) : undefined;
}
