/**
 * Bytes that are no HTTP, to a service behind this waypoint: decided once by what layer 4 can see, then carried.
 *
 *   stream ─▶ policies without HTTP fields ─▶ endpoint ─▶ bytes both ways
 *
 * O1  What cannot be judged without a request is refused: an OPA policy, an ALLOW that names methods or paths.
 * O2  One connection, one endpoint; nothing is ever sent again.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Workload } from '@clearmesh/shared/model/workload';
import { relay } from '@clearmesh/shared/net/relay';
import type { SnapshotSource } from '@clearmesh/shared/snapshot/snapshot';
import type { Conversation } from '../accept/conversation.ts';
import type { Authorisers } from '../authorise/authorisers.ts';
import { failureTable } from '../exchange/failure.ts';
import type { Failure } from '../exchange/failure.ts';
import type { RequestFacts } from '../exchange/request-facts.ts';
import type { Backends } from '../forward/backends.ts';
import type { EndpointFinder } from '../forward/endpoints.ts';
import type { WireUpstream } from '../forward/wire-upstream.ts';
import type { RequestTracer } from '../telemetry/tracing/request-trace.ts';
import { backendOf } from './backend.ts';
import { connectBaggage } from './connect-baggage.ts';
import { openExchange } from './exchange.ts';
import type { Exchange, ExchangeEnd } from './exchange.ts';
import { reportEnd } from './exchange-report.ts';
import type { ReportDeps } from './exchange-report.ts';
import type { ServicePlan, WaypointPlan } from './service-plan.ts';

export type OpaquePathDeps = ReportDeps & {
  readonly plan: () => WaypointPlan;
  readonly authorisers: Pick<Authorisers, 'of'>;
  readonly tracer: RequestTracer;
  readonly backends: Backends;
  readonly finder: EndpointFinder;
  readonly snapshots: SnapshotSource;
  readonly own: () => Workload;
  readonly wire: WireUpstream;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when nothing may go on any more: the end of the drain. */
  readonly forced: AbortSignal;
};

export class OpaquePath {
  readonly #deps: OpaquePathDeps;
  #active = 0;

  constructor(deps: OpaquePathDeps) {
    this.#deps = deps;
  }

  /** Streams open now. */
  get active(): number {
    return this.#active;
  }

  /** Takes a stream over; never throws. */
  serve(stream: Duplex, conversation: Conversation): void {
    this.#active += 1;
    const facts = factsOf(conversation, this.#deps);
    const exchange = openExchange(facts, this.#deps.tracer.start(facts));
    void this.#carry(stream, conversation, exchange)
      .catch((thrown: unknown): ExchangeEnd =>
        endOf({ kind: 'reset', detail: thrown instanceof Error ? thrown.message : String(thrown) }),
      )
      .then((end) => reportEnd(exchange, end, this.#deps))
      .finally(() => {
        stream.destroy();
        this.#active -= 1;
      });
  }

  async #carry(stream: Duplex, conversation: Conversation, exchange: Exchange): Promise<ExchangeEnd> {
    const { facts } = exchange;
    const service = this.#deps.plan().plan(facts.called.key);
    const verdict = this.#deps.authorisers.of(facts.called.key)?.authoriseOpaque(facts);
    if (service === undefined || verdict === undefined) {
      return endOf({ kind: 'no-route', detail: `service ${facts.called.hostname} is no longer behind this waypoint` });
    }
    if (verdict.kind === 'refused') return endOf(verdict.failure);
    return this.#connect(stream, conversation, exchange, service);
  }

  async #connect(
    stream: Duplex,
    { called, workload }: Conversation,
    exchange: Exchange,
    service: ServicePlan,
  ): Promise<ExchangeEnd> {
    const { backends, finder, snapshots, own, wire, forced } = this.#deps;
    const backend = { service: called.key, port: called.port };
    const { key, endpoints } = backendOf(backend, 'HTTP/1.1', workload, snapshots.current, own(), finder);
    const lease = backends.of(key).lease({ policy: service.opaquePolicy, route: '', endpoints, headers: {} });
    if (lease.kind === 'failed') return endOf(lease.failure);
    exchange.attempts = 1;
    exchange.endpoint = lease.endpoint;
    const { identity: caller } = exchange.facts.caller;
    const connect = { traceparent: exchange.trace.traceparent, baggage: connectBaggage(exchange.facts, this.#deps) };
    const opened = await wire.open(lease.endpoint, { caller, connect }, forced);
    if (opened.kind === 'failed') {
      lease.fail(opened.failure);
      return endOf(opened.failure);
    }
    stream.on('data', (chunk: Buffer) => (exchange.bytesIn += chunk.length));
    opened.stream.on('data', (chunk: Buffer) => (exchange.bytesOut += chunk.length));
    const end = await relay(stream, opened.stream, this.#deps, forced);
    lease.end();
    if (end.kind === 'broken' && end.side === 'far') return endOf({ kind: 'reset-in-answer', detail: end.error.message });
    return { status: 0, flag: '-', outcome: 'completed' };
  }
}

/** A connection in the words of a request, for policy and telemetry: it has no method, path or field. */
function factsOf({ caller, called }: Conversation, { clock, random }: Pick<OpaquePathDeps, 'clock' | 'random'>): RequestFacts {
  return {
    id: random.hex(16),
    caller,
    called,
    protocol: 'HTTP/1.1',
    grpc: false,
    method: '',
    authority: called.hostname,
    path: '',
    query: '',
    headers: {},
    receivedAtMs: clock.now(),
    startedMs: clock.monotonicMs(),
  };
}

function endOf(failure: Failure): ExchangeEnd {
  const { flag, outcome } = failureTable[failure.kind];
  return { status: 0, flag, outcome, failure };
}
