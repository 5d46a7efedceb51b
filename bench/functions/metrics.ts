/** What a connection costs in metrics, and a page of a thousand series, against counters of prom-client that are asked each time. */
import { Counter, Registry } from 'prom-client';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { identity, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import { TcpMetrics } from '@clearmesh/ztunnel/admin/tcp-metrics';
import { tcpLabelNames, tcpLabels } from '@clearmesh/ztunnel/admin/tcp-labels';
import type { ReportFacts } from '@clearmesh/ztunnel/path/connection-report';
import type { FunctionCase } from './function-case.ts';

const counts = ['opened', 'closed', 'received', 'sent'] as const;
const bytes = { received: 100, sent: 1_000 };

export function metricCases(): readonly FunctionCase[] {
  return [connectionCase(), pageCase()];
}

function factsOf(name: string): ReportFacts {
  return {
    direction: 'outbound',
    source: { address: socketAddress('10.0.0.1:40000'), workload: workload({ name }), identity: identity('bank', 'client') },
    destination: {
      address: socketAddress('10.0.0.2:15008'),
      hboneAddress: '10.0.0.2:8080',
      workload: workload({ name: 'server', addresses: ['10.0.0.2'] }),
      service: service(),
      identity: identity('bank', 'server'),
    },
  };
}

class Ours {
  readonly registry = new Registry();
  readonly #metrics = new TcpMetrics({}, { registry: this.registry, clock: systemClock });

  count(facts: ReportFacts): unknown {
    const series = this.#metrics.open(facts, () => bytes);
    series.close(bytes, '-');
    return series;
  }
}

class Naive {
  readonly registry = new Registry();
  readonly #counters = new Map(
    counts.map((count) => {
      const name = `istio_tcp_${count}_total`;
      return [count, new Counter({ name, help: count, labelNames: [...tcpLabelNames], registers: [this.registry] })];
    }),
  );

  count({ source, destination }: ReportFacts): unknown {
    const labels = tcpLabels(
      {
        reporter: 'source',
        source: source.workload,
        destination: destination.workload,
        service: destination.service,
        sourceIdentity: source.identity,
        destinationIdentity: destination.identity,
        mutualTls: true,
      },
      '-',
    );
    this.#counters.get('opened')?.inc(labels);
    this.#counters.get('closed')?.inc(labels);
    this.#counters.get('received')?.inc(labels, bytes.received);
    this.#counters.get('sent')?.inc(labels, bytes.sent);
    return labels;
  }
}

async function received(registry: Registry): Promise<string> {
  const page = await registry.metrics();
  return Array.from(page.matchAll(/_received_(?:bytes_)?total(\{.*\} \d+)$/gm), ([, series = '']) => series)
    .sort()
    .join('\n');
}

function connectionCase(): FunctionCase {
  const [ours, naive, facts] = [new Ours(), new Naive(), factsOf('client')];
  return {
    name: 'connection',
    title: 'metrics: a connection, ns',
    ours: () => ours.count(facts),
    naive: () => naive.count(facts),
    agree: () => agreeOn([facts, facts]),
  };
}

function pageCase(): FunctionCase {
  const all = Array.from({ length: 1_000 }, (_, index) => factsOf(`client-${index}`));
  const [ours, naive] = [new Ours(), new Naive()];
  for (const facts of all) {
    ours.count(facts);
    naive.count(facts);
  }
  return {
    name: 'page',
    title: 'metrics: a page of 1 000 clients, ns',
    ours: () => ours.registry.metrics(),
    naive: () => naive.registry.metrics(),
    agree: () => agreeOn(all),
  };
}

/** The same series with the same bytes. */
async function agreeOn(all: readonly ReportFacts[]): Promise<boolean> {
  const [ours, naive] = [new Ours(), new Naive()];
  for (const facts of all) {
    ours.count(facts);
    naive.count(facts);
  }
  const pages = await Promise.all([ours, naive].map(({ registry }) => received(registry)));
  return pages[0] !== '' && pages[0] === pages[1];
}
