/** W3C Trace Context `traceparent`: version, trace id, span id, flags. */
import type { Random } from '../lifecycle/random.ts';

export type Traceparent = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Bit 0: the caller records this trace. */
  readonly flags: number;
};

const pattern = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** A fresh trace that is not recorded, as each outbound connection gets (l4-contract section 2.1). */
export function newTraceparent(random: Random): Traceparent {
  const ids = random.hex(24);
  return { traceId: ids.slice(0, 32), spanId: ids.slice(32), flags: 0 };
}

/** Bit 0 of the flags (section 3.2.2.5.1): the caller records this trace. */
export function isSampled({ flags }: Traceparent): boolean {
  return (flags & 1) === 1;
}

/** The header's text, of version 00. */
export function formatTraceparent({ traceId, spanId, flags }: Traceparent): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;
}

/** `undefined` for anything that W3C Trace Context section 3.2.2 calls invalid. */
export function parseTraceparent(text: string): Traceparent | undefined {
  const found = pattern.exec(text);
  if (found === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', extension] = found;
  // Only later versions may append fields.
  if (version === '00' && extension !== undefined) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}
