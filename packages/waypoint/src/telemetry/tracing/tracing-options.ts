/** Tracing as the environment asks for it. */
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import { readCollector } from '@clearmesh/shared/tracing/collector-environment';
import type { CollectorOptions } from '@clearmesh/shared/tracing/collector-environment';

export type TracingOptions = {
  /** Keys of W3C baggage that may go on to services. @default none */
  readonly baggage?: readonly string[];
  /** Absent: spans are not made, and the trace context of callers is passed on. */
  readonly collector?: CollectorOptions | undefined;
};

/** @param resource what the process knows of itself */
export function readTracingOptions(env: EnvironmentReader, resource: Readonly<Record<string, string>>): TracingOptions {
  const keys = env.text('CLEARMESH_BAGGAGE_KEYS', '').split(',');
  return {
    baggage: keys.map((key) => key.trim()).filter((key) => key !== ''),
    collector: readCollector(env, resource),
  };
}
