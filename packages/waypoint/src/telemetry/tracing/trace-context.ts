/**
 * Which trace a request belongs to, read from its headers: `traceparent`, else `b3`, else `X-B3-*` (l7-and-resilience
 * B13). Strict, since what is accepted here is sent on: whatever is malformed counts as absent.
 */
import { parseTraceparent } from '@clearmesh/shared/wire/traceparent';
import type { RequestHeaders } from '../../exchange/request-facts.ts';
import { headerOf } from '../../exchange/request-facts.ts';

export type B3Form = 'single' | 'multi';

export type SpanReference = {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
};

export type IncomingTrace = {
  /** The caller's span; absent: a new trace. */
  readonly parent?: SpanReference;
  /** What the caller decided; B3 may leave it open. */
  readonly sampling: 'record' | 'drop' | 'undecided';
  /** Only beside a valid `traceparent`; at most 32 members. */
  readonly tracestate?: string;
  /** The B3 form the caller speaks, whether or not the parent is from it. */
  readonly b3?: B3Form;
};

/** Headers a waypoint replaces: what came in is never forwarded beside what it makes. */
export const traceHeaderNames: ReadonlySet<string> = new Set([
  'traceparent',
  'tracestate',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'baggage',
]);

/** W3C Trace Context section 3.3.1.1. */
const maxTracestateMembers = 32;

const b3Single = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/;
const b3TraceId = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;
const b3SpanId = /^[0-9a-f]{16}$/i;
const zeros = /^0+$/;

const undecided: IncomingTrace = { sampling: 'undecided' };

export function extractTrace(headers: RequestHeaders): IncomingTrace {
  const b3 = b3FormOf(headers);
  const traceparent = headers['traceparent'];
  // More than one is as good as none: nobody can tell which is meant.
  const parent = typeof traceparent === 'string' ? parseTraceparent(traceparent) : undefined;
  if (parent !== undefined) {
    const tracestate = joined(headers['tracestate']);
    return {
      parent,
      sampling: (parent.flags & 1) === 1 ? 'record' : 'drop',
      ...(tracestate === '' ? {} : { tracestate: limitTracestate(tracestate) }),
      ...(b3 === undefined ? {} : { b3 }),
    };
  }
  if (b3 === undefined) return undecided;
  const single = b3 === 'single' ? readSingle(headerOf(headers, 'b3') ?? '') : undefined;
  return { ...(single ?? readMulti(headers)), b3 };
}

/** The first 32 members; the rest is the oldest. */
export function limitTracestate(text: string): string {
  let end = -1;
  for (let members = 0; members < maxTracestateMembers; members++) {
    end = text.indexOf(',', end + 1);
    if (end === -1) return text;
  }
  return text.slice(0, end);
}

function b3FormOf(headers: RequestHeaders): B3Form | undefined {
  if (headers['b3'] !== undefined) return 'single';
  const multi = headers['x-b3-traceid'] ?? headers['x-b3-sampled'] ?? headers['x-b3-flags'];
  return multi === undefined ? undefined : 'multi';
}

/** `trace-span[-sampled[-parent]]`, or the decision alone. */
function readSingle(text: string): IncomingTrace | undefined {
  if (text === '0') return { sampling: 'drop' };
  if (text === '1' || text === 'd') return { sampling: 'record' };
  const [, traceId, spanId, sampled] = b3Single.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || zeros.test(traceId) || zeros.test(spanId)) return undefined;
  return { parent: { traceId: traceId.padStart(32, '0'), spanId }, sampling: decisionOf(sampled) };
}

function readMulti(headers: RequestHeaders): IncomingTrace {
  const debug = headerOf(headers, 'x-b3-flags') === '1';
  const sampling = debug ? 'record' : decisionOf(headerOf(headers, 'x-b3-sampled'));
  const traceId = headerOf(headers, 'x-b3-traceid') ?? '';
  const spanId = headerOf(headers, 'x-b3-spanid') ?? '';
  if (!b3TraceId.test(traceId) || !b3SpanId.test(spanId) || zeros.test(traceId) || zeros.test(spanId)) return { sampling };
  return { parent: { traceId: traceId.toLowerCase().padStart(32, '0'), spanId: spanId.toLowerCase() }, sampling };
}

const decisions: ReadonlyMap<string | undefined, IncomingTrace['sampling']> = new Map([
  ['1', 'record'],
  ['d', 'record'],
  ['true', 'record'],
  ['0', 'drop'],
  ['false', 'drop'],
]);

function decisionOf(sampled: string | undefined): IncomingTrace['sampling'] {
  return decisions.get(sampled) ?? 'undecided';
}

function joined(value: string | readonly string[] | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : value.join(',');
}
