/**
 * How spans travel (l7-and-resilience B13): read by {@link extractTrace}, written by OpenTelemetry's own propagators:
 * `traceparent` and `tracestate` always, B3 in the form it came in, and only if it came in.
 */
import { createContextKey, trace, TraceFlags } from '@opentelemetry/api';
import type { Context, SpanContext, TextMapGetter, TextMapPropagator, TextMapSetter } from '@opentelemetry/api';
import { CompositePropagator, TraceState, W3CTraceContextPropagator } from '@opentelemetry/core';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import { extractTrace, traceHeaderNames } from './trace-context.ts';
import type { B3Form, IncomingTrace } from './trace-context.ts';

const fields = [...traceHeaderNames].filter((name) => name !== 'baggage');

const incomingKey = createContextKey('clearmesh incoming trace');

/** What the caller sent, where the context was made by {@link MeshPropagator.extract}. */
export function incomingOf(context: Context): IncomingTrace | undefined {
  // Written by `extract` only.
  return context.getValue(incomingKey) as IncomingTrace | undefined;
}

export class MeshPropagator implements TextMapPropagator {
  readonly #w3c = new W3CTraceContextPropagator();
  readonly #withB3: Readonly<Record<B3Form, TextMapPropagator>> = {
    single: this.#and(B3InjectEncoding.SINGLE_HEADER),
    multi: this.#and(B3InjectEncoding.MULTI_HEADER),
  };

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const incoming = extractTrace(Object.fromEntries(fields.map((name) => [name, getter.get(carrier, name)])));
    return withIncoming(context, incoming);
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const b3 = incomingOf(context)?.b3;
    (b3 === undefined ? this.#w3c : this.#withB3[b3]).inject(context, carrier, setter);
  }

  fields(): string[] {
    return [...fields];
  }

  #and(injectEncoding: B3InjectEncoding): TextMapPropagator {
    return new CompositePropagator({ propagators: [this.#w3c, new B3Propagator({ injectEncoding })] });
  }
}

/** The context of a request: its remote parent, if it has one, and what else it said. */
export function withIncoming(context: Context, incoming: IncomingTrace): Context {
  const said = context.setValue(incomingKey, incoming);
  const { parent, sampling, tracestate } = incoming;
  if (parent === undefined) return said;
  const span: SpanContext = {
    traceId: parent.traceId,
    spanId: parent.spanId,
    isRemote: true,
    traceFlags: sampling === 'record' ? TraceFlags.SAMPLED : TraceFlags.NONE,
    ...(tracestate === undefined ? {} : { traceState: new TraceState(tracestate) }),
  };
  return trace.setSpanContext(said, span);
}
