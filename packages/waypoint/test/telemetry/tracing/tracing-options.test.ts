import { expect } from 'chai';
import { describe, it } from 'mocha';
import { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';
import { readTracingOptions } from '../../../src/telemetry/tracing/tracing-options.ts';
import type { TracingOptions } from '../../../src/telemetry/tracing/tracing-options.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

function read(env: Environment): TracingOptions {
  const reader = new EnvironmentReader(env);
  const options = readTracingOptions(reader, { 'service.name': 'waypoint', 'k8s.namespace.name': 'bank' });
  reader.finish();
  return options;
}

describe('readTracingOptions', () => {
  for (const [name, env] of [
    ['no endpoint', {}],
    ['an empty endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['OTEL_SDK_DISABLED', { ...endpoint, OTEL_SDK_DISABLED: 'true' }],
    ['OTEL_TRACES_EXPORTER=none', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }],
  ] as const) {
    it(`leaves tracing off with ${name}`, () => {
      expect(read(env).collector).to.equal(undefined);
    });
  }

  for (const [env, url] of [
    [endpoint, 'http://127.0.0.1:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.bank/ingest/' }, 'https://otel.bank/ingest/v1/traces'],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t:1/spans' }, 'http://t:1/spans'],
  ] as const) {
    it(`posts spans to ${url}`, () => {
      expect(read(env).collector?.url).to.equal(url);
    });
  }

  it('has the defaults of OpenTelemetry, but a shorter wait', () => {
    expect(read(endpoint)).to.deep.equal({
      baggage: [],
      collector: {
        url: 'http://127.0.0.1:4318/v1/traces',
        protocol: 'http/protobuf',
        ratio: 1,
        resource: { 'service.name': 'waypoint', 'k8s.namespace.name': 'bank' },
        maxQueuedSpans: 2_048,
        maxBatchSpans: 512,
        batchDelayMs: 1_000,
        exportTimeoutMs: 10_000,
      },
    });
  });

  it('honours protocol, sampler, resource and baggage', () => {
    const options = read({
      ...endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_RESOURCE_ATTRIBUTES: 'service.criticality=critical,deployment.environment.name=prod%20eu',
      OTEL_SERVICE_NAME: 'ledger-waypoint',
      CLEARMESH_BAGGAGE_KEYS: 'tenant, channel',
    });
    expect(options.baggage).to.deep.equal(['tenant', 'channel']);
    expect(options.collector).to.include({ protocol: 'http/json', ratio: 0.25 });
    expect(options.collector?.resource).to.deep.equal({
      'service.name': 'ledger-waypoint',
      'k8s.namespace.name': 'bank',
      'service.criticality': 'critical',
      'deployment.environment.name': 'prod eu',
    });
  });

  for (const [name, value] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', '127.0.0.1:4318'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'nonsense'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
  ] as const) {
    it(`rejects ${name}=${value}`, () => {
      const env = { ...endpoint, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', [name]: value };
      expect(() => read(env)).to.throw(name);
    });
  }
});
