/** Tracing that is switched on: one SERVER span a request, one CLIENT span an attempt (T1–T3 of request-trace.ts). */
import { defaultTextMapSetter, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { Context, HrTime, Span, TextMapPropagator, Tracer } from '@opentelemetry/api';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { RequestFacts } from '../../exchange/request-facts.ts';
import type { UpstreamEndpoint } from '../../forward/upstream.ts';
import { filterBaggage } from './baggage-filter.ts';
import { PassedTrace } from './passing-tracer.ts';
import { withIncoming } from './propagator.ts';
import type { AttemptTrace, RequestOutcome, RequestTrace, RequestTracer, SpanOutcome } from './request-trace.ts';
import {
  attemptAttributes,
  decisionAttributes,
  outcomeAttributes,
  requestAttributes,
  spanName,
  spanStatus,
} from './span-attributes.ts';
import { extractTrace } from './trace-context.ts';

export type SpanTracerOptions = {
  /** Keys of baggage that may go on. @default none */
  readonly baggage?: readonly string[];
};

export type SpanTracerDeps = {
  readonly tracer: Tracer;
  readonly propagator: TextMapPropagator;
  readonly clock: Clock;
};

export class SpanTracer implements RequestTracer {
  readonly #baggage: ReadonlySet<string>;
  readonly #deps: SpanTracerDeps;

  constructor(options: SpanTracerOptions, deps: SpanTracerDeps) {
    this.#baggage = new Set(options.baggage ?? []);
    this.#deps = deps;
  }

  start(facts: RequestFacts): RequestTrace {
    const incoming = extractTrace(facts.headers);
    const baggage = filterBaggage(facts.headers['baggage'], this.#baggage);
    // Spans that nobody records would be nobody's parents, and cost 4 µs.
    if (incoming.parent !== undefined && incoming.sampling === 'drop') return new PassedTrace(incoming.parent, incoming, baggage);
    const parent = withIncoming(ROOT_CONTEXT, incoming);
    const span = this.#deps.tracer.startSpan(
      spanName(facts),
      { kind: SpanKind.SERVER, startTime: hrTime(facts.receivedAtMs) },
      parent,
    );
    if (span.isRecording()) span.setAttributes(requestAttributes(facts));
    return new SpannedRequest({ span, context: trace.setSpan(parent, span), facts, baggage, ...this.#deps });
  }
}

type Parts = SpanTracerDeps & {
  readonly span: Span;
  /** With the span in it. */
  readonly context: Context;
  readonly facts: RequestFacts;
  readonly baggage: string | undefined;
};

class SpannedRequest implements RequestTrace {
  readonly traceId: string;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.traceId = parts.span.spanContext().traceId;
  }

  get traceparent(): string {
    return traceparentOf(this.#parts.span);
  }

  startAttempt(endpoint: UpstreamEndpoint, attempt: number): AttemptTrace {
    const { facts, tracer } = this.#parts;
    const span = tracer.startSpan(spanName(facts), { kind: SpanKind.CLIENT, startTime: this.#now() }, this.#parts.context);
    if (span.isRecording()) span.setAttributes(attemptAttributes(facts, endpoint, attempt));
    return {
      headers: this.#headersOf(span),
      traceparent: traceparentOf(span),
      end: (outcome) => this.#end(span, outcome, 'client'),
    };
  }

  end(outcome: RequestOutcome): void {
    const { span, facts } = this.#parts;
    if (!span.isRecording()) return;
    if (outcome.route !== undefined) span.updateName(spanName(facts, outcome.route));
    span.setAttributes(decisionAttributes(outcome));
    this.#end(span, outcome, 'server');
  }

  #end(span: Span, outcome: SpanOutcome, kind: 'server' | 'client'): void {
    if (!span.isRecording()) return;
    const { facts } = this.#parts;
    span
      .setAttributes(outcomeAttributes(facts, outcome, kind))
      .setStatus({ code: spanStatus(facts, outcome, kind) })
      .end(this.#now());
  }

  #headersOf(span: Span): Readonly<Record<string, string>> {
    const { context, propagator, baggage } = this.#parts;
    const headers: Record<string, string> = baggage === undefined ? {} : { baggage };
    propagator.inject(trace.setSpan(context, span), headers, defaultTextMapSetter);
    return headers;
  }

  /** By the monotonic clock, so that spans of one request keep their order when the wall clock is set. */
  #now(): HrTime {
    const { facts, clock } = this.#parts;
    return hrTime(facts.receivedAtMs + clock.monotonicMs() - facts.startedMs);
  }
}

/** As seconds and nanoseconds: a bare number could be taken for one of two clocks. */
function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1_000);
  return [seconds, Math.round((epochMs - seconds * 1_000) * 1e6)];
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`;
}
