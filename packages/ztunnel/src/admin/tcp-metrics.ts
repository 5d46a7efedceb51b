/**
 * The TCP metrics of l4-contract section 11.1. Bytes count while a connection is open; `received` is client to server
 * and `sent` is server to client, whoever reports.
 *
 *   istio_tcp_connections_opened_total   connections that were joined, or tried to be; flag "-"
 *   istio_tcp_connections_closed_total   their ends, with the flag of the end
 *   istio_tcp_connections_failed_total   ends with a flag other than "-"
 *   istio_tcp_received_bytes_total, istio_tcp_sent_bytes_total
 *   istio_tcp_sockets_open               by reporter
 *
 * Flags are Istio's, and NWP for a required waypoint that is not available. A connection costs nothing while bytes
 * pass: its own counts are read at each scrape and once more at its end.
 */
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { ResponseFlag } from '../path/connection-cut.ts';
import type { Bytes, ConnectionMetrics, ConnectionSeries, ReportFacts } from '../path/connection-report.ts';
import { tcpLabelNames } from './tcp-labels.ts';
import type { TcpConnectionFacts } from './tcp-labels.ts';
import { TcpSeriesTable } from './tcp-series.ts';
import type { TcpCount, TcpSeries, TcpSeriesOptions } from './tcp-series.ts';

type OpenConnection = {
  readonly facts: TcpConnectionFacts;
  readonly series: TcpSeries;
  readonly bytes: () => Bytes;
  /** What was counted of its bytes so far. */
  counted: Bytes;
};

const counters: Readonly<Record<TcpCount, { readonly name: string; readonly help: string }>> = {
  opened: { name: 'istio_tcp_connections_opened_total', help: 'The total number of TCP connections opened' },
  closed: { name: 'istio_tcp_connections_closed_total', help: 'The total number of TCP connections closed' },
  failed: { name: 'istio_tcp_connections_failed_total', help: 'The total number of TCP connections that ended with a failure' },
  received: { name: 'istio_tcp_received_bytes_total', help: 'The size of total bytes sent from client to server' },
  sent: { name: 'istio_tcp_sent_bytes_total', help: 'The size of total bytes sent from server to client' },
};

export class TcpMetrics implements ConnectionMetrics {
  readonly #table: TcpSeriesTable;
  readonly #counters: readonly Counter[];
  readonly #open = new Set<OpenConnection>();

  constructor(options: TcpSeriesOptions, deps: { readonly registry: Registry; readonly clock: Clock }) {
    this.#table = new TcpSeriesTable(options, deps);
    this.#counters = (Object.keys(counters) as TcpCount[]).map((count) => this.#counter(count, deps.registry));
    const gauge: Gauge = new Gauge({
      name: 'istio_tcp_sockets_open',
      help: 'Connections open now',
      labelNames: ['reporter'],
      registers: [deps.registry],
      collect: () => this.#collectOpen(gauge),
    });
  }

  /** Series kept now. */
  get size(): number {
    return this.#table.size;
  }

  open(facts: ReportFacts, bytes: () => Bytes): ConnectionSeries {
    const tcp = tcpFacts(facts);
    const connection: OpenConnection = {
      facts: tcp,
      series: this.#table.find(tcp, '-'),
      bytes,
      counted: { received: 0, sent: 0 },
    };
    connection.series.opened++;
    connection.series.holders++;
    this.#open.add(connection);
    return { close: (final, flag) => this.#recvClosed(connection, final, flag) };
  }

  #recvClosed(connection: OpenConnection, final: Bytes, flag: ResponseFlag): void {
    if (!this.#open.delete(connection)) return;
    count(connection, final);
    connection.series.holders--;
    const end = this.#table.find(connection.facts, flag);
    end.closed++;
    if (flag !== '-') end.failed++;
  }

  #counter(which: TcpCount, registry: Registry): Counter {
    const counter: Counter = new Counter({
      ...counters[which],
      labelNames: [...tcpLabelNames],
      registers: [registry],
      collect: () => {
        if (which === 'received') for (const connection of this.#open) count(connection, connection.bytes());
        this.#table.take(which, (labels, amount) => counter.inc(labels, amount));
      },
    });
    return counter;
  }

  /** A counter that was dropped starts at 0 when it comes back, which Prometheus takes for a restart. */
  #collectOpen(gauge: Gauge): void {
    const open = { source: 0, destination: 0 };
    for (const { facts } of this.#open) open[facts.reporter]++;
    gauge.set({ reporter: 'source' }, open.source);
    gauge.set({ reporter: 'destination' }, open.destination);
    for (const labels of this.#table.retireIdle()) for (const counter of this.#counters) counter.remove(labels);
  }
}

/** Adds what came since the last look; a count that went back (a socket gone before its end) is not believed. */
function count(connection: OpenConnection, now: Bytes): void {
  const { series, counted } = connection;
  series.received += Math.max(0, now.received - counted.received);
  series.sent += Math.max(0, now.sent - counted.sent);
  connection.counted = { received: Math.max(counted.received, now.received), sent: Math.max(counted.sent, now.sent) };
}

function tcpFacts({ direction, source, destination }: ReportFacts): TcpConnectionFacts {
  return {
    reporter: direction === 'outbound' ? 'source' : 'destination',
    source: source.workload,
    destination: destination.workload,
    service: destination.service,
    sourceIdentity: source.identity,
    sourceCaller: source.caller,
    destinationIdentity: destination.identity,
    // Only what goes through a tunnel has an address inside it, be the handshake done yet or not.
    mutualTls: destination.hboneAddress !== undefined,
  };
}
