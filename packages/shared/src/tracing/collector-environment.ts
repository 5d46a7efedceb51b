/** Where spans go, as OpenTelemetry's environment variables say it (specification "Environment variables", "OTLP exporter"). */
import type { EnvironmentReader } from '../lifecycle/environment.ts';

export type OtlpProtocol = 'http/protobuf' | 'http/json';

export type CollectorOptions = {
  /** Where spans are posted, with path. */
  readonly url: string;
  /** @default 'http/protobuf' */
  readonly protocol?: OtlpProtocol;
  /** Share of the traces that begin here, 0 to 1. @default 1 */
  readonly ratio?: number;
  /** `service.name` and what else describes this process, by attribute name. */
  readonly resource: Readonly<Record<string, string>>;
  /** Spans kept until they are exported; more are dropped. @default 2 048 */
  readonly maxQueuedSpans?: number;
  /** Spans of one export. @default 512 */
  readonly maxBatchSpans?: number;
  /** Longest wait of a span for its batch, milliseconds. @default 1 000 */
  readonly batchDelayMs?: number;
  /** Of one export with its retries, milliseconds. @default 10 000 */
  readonly exportTimeoutMs?: number;
};

/**
 * Without an endpoint there is no collector, hence no span. Headers, compression and client certificates of the exporter are
 * read by the exporter itself (`OTEL_EXPORTER_OTLP_HEADERS`, `_COMPRESSION`, `_CERTIFICATE`, …).
 *
 * @param resource what the process knows of itself; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over it
 */
export function readCollector(env: EnvironmentReader, resource: Readonly<Record<string, string>>): CollectorOptions | undefined {
  const url = readUrl(env);
  if (url === undefined || env.boolean('OTEL_SDK_DISABLED', false)) return undefined;
  if (env.text('OTEL_TRACES_EXPORTER', 'otlp') === 'none') return undefined;
  return {
    url,
    protocol: readProtocol(env),
    ratio: readRatio(env),
    resource: { ...resource, ...readResource(env) },
    maxQueuedSpans: env.integer('OTEL_BSP_MAX_QUEUE_SIZE', 2_048, { min: 1, max: 1_000_000 }),
    maxBatchSpans: env.integer('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512, { min: 1, max: 100_000 }),
    batchDelayMs: env.integer('OTEL_BSP_SCHEDULE_DELAY', 1_000, { min: 1, max: 3_600_000 }),
    exportTimeoutMs: env.integer('OTEL_BSP_EXPORT_TIMEOUT', 10_000, { min: 1, max: 3_600_000 }),
  };
}

/** The endpoint of traces is used as it is; the one of all signals gets the path. */
function readUrl(env: EnvironmentReader): string | undefined {
  const own = env.text('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', '');
  const name = own === '' ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  const text = env.text(name, '');
  if (text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    env.reject(name, 'set it to http://host:port or https://host:port, or to nothing to switch tracing off');
    return undefined;
  }
  return own === '' ? `${url.origin}${url.pathname.replace(/\/$/, '')}/v1/traces` : url.href;
}

/** OTLP over gRPC is left out: it would be the only user of a gRPC client in this process. */
function readProtocol(env: EnvironmentReader): OtlpProtocol {
  const name =
    env.raw('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') === undefined
      ? 'OTEL_EXPORTER_OTLP_PROTOCOL'
      : 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL';
  return env.oneOf(name, ['http/protobuf', 'http/json'], 'http/protobuf');
}

function readRatio(env: EnvironmentReader): number {
  const sampler = env.oneOf(
    'OTEL_TRACES_SAMPLER',
    ['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'],
    'parentbased_always_on',
  );
  if (sampler === 'parentbased_always_on') return 1;
  if (sampler === 'parentbased_always_off') return 0;
  const text = env.text('OTEL_TRACES_SAMPLER_ARG', '1');
  const ratio = Number(text);
  if (text.trim() !== '' && ratio >= 0 && ratio <= 1) return ratio;
  env.reject('OTEL_TRACES_SAMPLER_ARG', 'set it to a share from 0 to 1');
  return 1;
}

function readResource(env: EnvironmentReader): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const pair of env.text('OTEL_RESOURCE_ATTRIBUTES', '').split(',')) {
    const [key = '', escaped] = pair.split('=', 2).map((part) => part.trim());
    const value = unescape(escaped);
    if (pair.trim() === '') continue;
    if (key === '' || value === undefined) {
      env.reject('OTEL_RESOURCE_ATTRIBUTES', 'set it to key=value,key=value with percent-encoded values');
      continue;
    }
    attributes[key] = value;
  }
  const name = env.text('OTEL_SERVICE_NAME', '');
  return name === '' ? attributes : { ...attributes, 'service.name': name };
}

function unescape(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
