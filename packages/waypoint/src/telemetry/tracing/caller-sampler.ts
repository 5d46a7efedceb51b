/** Which traces are recorded: the caller's decision where it made one, else a share of the trace ids. */
import { trace } from '@opentelemetry/api';
import type { Context } from '@opentelemetry/api';
import { ParentBasedSampler, SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { Sampler } from '@opentelemetry/sdk-trace';
import { incomingOf } from './propagator.ts';

/**
 * ParentBased, except for what B3 can say beyond W3C: a decision without a trace, and a trace without a decision.
 *
 * @param ratio share of the traces that begin here, 0 to 1
 */
export function callerSampler(ratio: number): Sampler {
  const root = new TraceIdRatioBasedSampler(ratio);
  const parentBased = new ParentBasedSampler({ root });
  return {
    shouldSample: (context, traceId, name, kind, attributes, links) => {
      const incoming = isLocal(context) ? undefined : incomingOf(context);
      if (incoming?.parent === undefined && incoming?.sampling === 'record') return record;
      if (incoming?.parent === undefined && incoming?.sampling === 'drop') return drop;
      const sampler = incoming?.sampling === 'undecided' ? root : parentBased;
      return sampler.shouldSample(context, traceId, name, kind, attributes, links);
    },
    toString: () => `CallerSampler{${parentBased.toString()}}`,
  };
}

const record = { decision: SamplingDecision.RECORD_AND_SAMPLED };
const drop = { decision: SamplingDecision.NOT_RECORD };

/** Spans of attempts have their request's span as parent, and follow it whatever the caller said. */
function isLocal(context: Context): boolean {
  const parent = trace.getSpanContext(context);
  return parent !== undefined && parent.isRemote !== true;
}
