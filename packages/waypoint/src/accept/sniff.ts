/** What the first bytes inside a tunnel stream are: HTTP/2 by its preface, HTTP/1 by its method, or something else. */
import type { Duplex } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';

export type InnerProtocol = 'HTTP/1.1' | 'HTTP/2' | 'opaque';

/** RFC 9113 section 3.4. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** RFC 9110 section 9.1: a method is a token, and every registered one is of capital letters and `-`. */
const longestMethod = 24;

/** `undefined`: more bytes are needed to tell. */
export function sniff(bytes: Uint8Array): InnerProtocol | undefined {
  const shared = Math.min(bytes.length, preface.length);
  if (preface.subarray(0, shared).equals(bytes.subarray(0, shared))) return bytes.length < preface.length ? undefined : 'HTTP/2';
  for (let at = 0; at < Math.min(bytes.length, longestMethod); at += 1) {
    const code = bytes[at] ?? 0;
    if (code === 0x20) return at > 0 ? 'HTTP/1.1' : 'opaque';
    if (!(code >= 0x41 && code <= 0x5a) && code !== 0x2d) return 'opaque';
  }
  return bytes.length >= longestMethod ? 'opaque' : undefined;
}

export type SniffOptions = {
  /** Time for enough bytes; then the stream counts as opaque, since its server may speak first. @default 5 000 */
  readonly withinMs?: number;
};

/** Reads until the protocol is clear, and puts back what it read. An end before that is opaque. */
export function sniffStream(stream: Duplex, options: SniffOptions, deps: { readonly clock: Clock }): Promise<InnerProtocol> {
  return new Promise((resolve) => {
    let held: Buffer = Buffer.alloc(0);
    const settle = (found: InnerProtocol): void => {
      cancel();
      stream.off('readable', look).off('end', giveUp).off('close', giveUp);
      if (held.length > 0 && !stream.destroyed) stream.unshift(held);
      resolve(found);
    };
    const giveUp = (): void => settle('opaque');
    const look = (): void => {
      const bytes = stream.read() as Buffer | null;
      if (bytes !== null) held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const found = sniff(held);
      if (found !== undefined) settle(found);
      // In the same turn of the loop, before the end is announced: after that nothing can be put back.
      else if (isAtEnd(stream)) giveUp();
    };
    const cancel = deps.clock.after(options.withinMs ?? 5_000, giveUp);
    stream.on('readable', look).on('end', giveUp).on('close', giveUp);
    if (stream.destroyed || stream.readableEnded) giveUp();
  });
}

/** The peer has ended; what was read so far is all there is. */
function isAtEnd(stream: Duplex & { readonly _readableState?: { readonly ended: boolean } }): boolean {
  return stream._readableState?.ended ?? false;
}
