/**
 * Tracing that is switched off: the caller's context goes on as it came (W3C Trace Context section 4.1, a mere
 * pass-through), and a request without one gets a trace that nobody records, so that logs can still be joined.
 */
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { RequestFacts } from '../../exchange/request-facts.ts';
import { filterBaggage } from './baggage-filter.ts';
import type { AttemptTrace, RequestTrace, RequestTracer } from './request-trace.ts';
import { extractTrace } from './trace-context.ts';
import type { IncomingTrace, SpanReference } from './trace-context.ts';

export type PassingTracerOptions = {
  /** Keys of baggage that may go on. @default none */
  readonly baggage?: readonly string[];
};

export class PassingTracer implements RequestTracer {
  readonly #baggage: ReadonlySet<string>;
  readonly #random: Random;

  constructor(options: PassingTracerOptions, deps: { readonly random: Random }) {
    this.#baggage = new Set(options.baggage ?? []);
    this.#random = deps.random;
  }

  start({ headers }: RequestFacts): RequestTrace {
    const incoming = extractTrace(headers);
    const parent = incoming.parent ?? { traceId: this.#random.hex(16), spanId: this.#random.hex(8) };
    return new PassedTrace(parent, incoming, filterBaggage(headers['baggage'], this.#baggage));
  }
}

/** A trace without spans of ours; every attempt is sent the same headers, hence it is its own attempt. */
export class PassedTrace implements RequestTrace, AttemptTrace {
  readonly traceId: string;
  readonly traceparent: string;
  readonly headers: Readonly<Record<string, string>>;

  /** @param parent the caller's span, or a new trace */
  constructor(parent: SpanReference, { sampling, tracestate, b3 }: IncomingTrace, baggage: string | undefined) {
    const { traceId, spanId } = parent;
    this.traceId = traceId;
    this.traceparent = `00-${traceId}-${spanId}-${sampling === 'record' ? '01' : '00'}`;
    const headers: Record<string, string> = { traceparent: this.traceparent };
    if (tracestate !== undefined) headers['tracestate'] = tracestate;
    if (baggage !== undefined) headers['baggage'] = baggage;
    if (b3 === 'single') headers['b3'] = `${traceId}-${spanId}${b3Decision[sampling]}`;
    if (b3 === 'multi') {
      headers['x-b3-traceid'] = traceId;
      headers['x-b3-spanid'] = spanId;
      if (sampling !== 'undecided') headers['x-b3-sampled'] = sampling === 'record' ? '1' : '0';
    }
    this.headers = headers;
  }

  startAttempt(): AttemptTrace {
    return this;
  }

  end(): void {}
}

const b3Decision: Readonly<Record<IncomingTrace['sampling'], string>> = { record: '-1', drop: '-0', undecided: '' };
