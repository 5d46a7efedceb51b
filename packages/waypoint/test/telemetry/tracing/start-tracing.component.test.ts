/** The SDK against a real collector on loopback, and against none. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { PassingTracer } from '../../../src/telemetry/tracing/passing-tracer.ts';
import { startTracing } from '../../../src/telemetry/tracing/start-tracing.ts';
import type { Tracing } from '../../../src/telemetry/tracing/start-tracing.ts';
import type { CollectorOptions } from '@clearmesh/shared/tracing/collector-environment';
import { endpoint, requestFacts } from '../exchange-facts.ts';

type Received = { readonly type: string | undefined; readonly body: Buffer };

class Collector implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.received.push({ type: request.headers['content-type'], body: Buffer.concat(chunks) });
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  static async listen(): Promise<Collector> {
    const collector = new Collector();
    const { promise, resolve } = Promise.withResolvers<void>();
    collector.#server.listen(0, '127.0.0.1', resolve);
    await promise;
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const resource = { 'service.name': 'waypoint', 'service.criticality': 'critical' };

function start(collector: Omit<CollectorOptions, 'resource'>, logger: Logger = silentLogger): Promise<Tracing> {
  return startTracing({ collector: { resource, ...collector } }, { ...deps, logger });
}

function exchange(tracing: Tracing): void {
  const trace = tracing.tracer.start(requestFacts({ receivedAtMs: Date.now(), startedMs: performance.now() }));
  trace.startAttempt(endpoint(), 1).end({ status: 200 });
  trace.end({ status: 200, route: '/accounts', flag: '-' });
}

describe('startTracing', () => {
  it('makes no span without a collector', async () => {
    await using tracing = await startTracing({}, deps);
    expect(tracing.tracer).to.be.instanceOf(PassingTracer);
    exchange(tracing);
    expect(tracing.counts).to.deep.equal({ exported: 0, dropped: 0 });
  });

  it('exports spans with their resource as JSON, and what waits at the end', async () => {
    await using collector = await Collector.listen();
    const tracing = await start({ url: collector.url, protocol: 'http/json', batchDelayMs: 60_000 });
    exchange(tracing);
    await tracing.shutdown(5_000);
    expect(tracing.counts).to.deep.equal({ exported: 2, dropped: 0 });
    expect(collector.received.map(({ type }) => type)).to.deep.equal(['application/json']);
    const text = collector.received[0]?.body.toString() ?? '';
    expect(text).to.include('"service.criticality"').and.to.include('GET /accounts');
    expect(text).not.to.include('secret');
  });

  it('exports protobuf unless told otherwise, after the delay', async () => {
    await using collector = await Collector.listen();
    await using tracing = await start({ url: collector.url, batchDelayMs: 10 });
    exchange(tracing);
    while (tracing.counts.exported < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(collector.received[0]?.type).to.equal('application/x-protobuf');
    expect(collector.received[0]?.body.includes('GET /accounts')).to.equal(true);
  });

  it('drops and counts spans, says so once, and ends in time when nobody collects', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    const tracing = await start(
      { url: 'http://127.0.0.1:1/v1/traces', maxQueuedSpans: 8, maxBatchSpans: 4, batchDelayMs: 10, exportTimeoutMs: 50 },
      logger,
    );
    for (let i = 0; i < 50; i++) exchange(tracing);
    expect(tracing.counts.dropped).to.be.at.least(88);
    const started = performance.now();
    await tracing.shutdown(1_000);
    expect(performance.now() - started).to.be.below(1_500);
    while (tracing.counts.dropped < 100) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(tracing.counts).to.deep.equal({ exported: 0, dropped: 100 });
    expect(warnings.filter((message) => message.startsWith('spans cannot be exported'))).to.have.length(1);
  });

  it('gives up at the deadline on a collector that never answers', async () => {
    await using silent = await hangingServer();
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    const tracing = await start({ url: silent.url, exportTimeoutMs: 2_000 }, logger);
    exchange(tracing);
    const started = performance.now();
    await tracing.shutdown(100);
    expect(performance.now() - started).to.be.below(1_000);
    expect(warnings[0]).to.include('within 100 ms');
  });

  it('can be started again after its end (leak)', async () => {
    await using collector = await Collector.listen();
    for (let i = 1; i <= 3; i++) {
      const tracing = await start({ url: collector.url, protocol: 'http/json' });
      exchange(tracing);
      await tracing.shutdown(5_000);
      expect(collector.received).to.have.length(i);
    }
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).to.be.below(5);
  });
});

async function hangingServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(() => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}
