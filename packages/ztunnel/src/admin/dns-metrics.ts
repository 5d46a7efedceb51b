/**
 * The DNS metrics of l4-contract section 11.1:
 *
 *   istio_dns_requests_total                         questions of pods that could be read
 *   istio_dns_upstream_requests_total                … that went on to another resolver
 *   istio_dns_upstream_failures_total                … to which none of them gave an answer in time
 *   istio_dns_upstream_request_duration_seconds      … and how long the answer took, or its absence
 *   clearmesh_dns_cache_total{outcome}               questions for other resolvers that memory may answer: whether it did
 *   clearmesh_dns_overloads_total                    questions answered with SERVFAIL at once, since a pod asked too much
 *
 * Each by {request_query_type, request_protocol, source_canonical_service, source_canonical_revision}, but the last two.
 * Series are bounded: a pod can ask for 65,536 types, and services come and go.
 */
import { Counter, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { knownLabel } from '@clearmesh/shared/observe/peer-labels';
import type { CacheOutcome } from '../dns/other-resolvers.ts';
import type { DnsFacts, DnsMetrics } from '../dns/responder.ts';

export type DnsSeriesOptions = {
  /** Services with a revision that are told apart; further ones are one, `overflow`. @default 1 000 */
  readonly maxSources?: number;
};

type DnsLabels = Readonly<Record<(typeof labelNames)[number], string>>;

const labelNames = ['request_query_type', 'request_protocol', 'source_canonical_service', 'source_canonical_revision'] as const;

/** The types of IANA's registry that programs ask for. */
const typeNames: Readonly<Record<number, string>> = {
  1: 'a',
  2: 'ns',
  5: 'cname',
  6: 'soa',
  12: 'ptr',
  15: 'mx',
  16: 'txt',
  28: 'aaaa',
  33: 'srv',
  35: 'naptr',
  43: 'ds',
  48: 'dnskey',
  64: 'svcb',
  65: 'https',
  255: 'any',
  257: 'caa',
};

export class DnsQueryMetrics implements DnsMetrics {
  readonly #maxSources: number;
  readonly #clock: Clock;
  readonly #requests: Counter<(typeof labelNames)[number]>;
  readonly #upstreamRequests: Counter<(typeof labelNames)[number]>;
  readonly #upstreamFailures: Counter<(typeof labelNames)[number]>;
  readonly #upstreamDuration: Histogram<(typeof labelNames)[number]>;
  readonly #cache: Counter<'outcome'>;
  readonly #overloads: Counter;
  readonly #sources = new Set<string>();

  constructor(options: DnsSeriesOptions, deps: { readonly registry: Registry; readonly clock: Clock }) {
    this.#maxSources = options.maxSources ?? 1_000;
    this.#clock = deps.clock;
    const registers = [deps.registry];
    const common = { labelNames: [...labelNames], registers };
    this.#requests = new Counter({ ...common, name: 'istio_dns_requests_total', help: 'DNS queries of pods' });
    this.#upstreamRequests = new Counter({
      ...common,
      name: 'istio_dns_upstream_requests_total',
      help: 'DNS queries that went on to another resolver',
    });
    this.#upstreamFailures = new Counter({
      ...common,
      name: 'istio_dns_upstream_failures_total',
      help: 'DNS queries that no other resolver answered',
    });
    this.#upstreamDuration = new Histogram({
      ...common,
      name: 'istio_dns_upstream_request_duration_seconds',
      help: 'Time until another resolver answered, or did not',
      buckets: [0.0005, 0.001, 0.01, 0.1, 1, 5],
    });
    this.#cache = new Counter({
      name: 'clearmesh_dns_cache_total',
      help: 'DNS queries for other resolvers that could be answered from memory',
      labelNames: ['outcome'],
      registers,
    });
    this.#overloads = new Counter({
      name: 'clearmesh_dns_overloads_total',
      help: 'DNS queries refused since a pod asked too many at a time',
      registers,
    });
  }

  asked(facts: DnsFacts): void {
    this.#requests.inc(this.#labels(facts));
  }

  forwarded(facts: DnsFacts): (outcome: 'answered' | 'failed') => void {
    const labels = this.#labels(facts);
    const sinceMs = this.#clock.monotonicMs();
    this.#upstreamRequests.inc(labels);
    return (outcome) => {
      if (outcome === 'failed') this.#upstreamFailures.inc(labels);
      this.#upstreamDuration.observe(labels, (this.#clock.monotonicMs() - sinceMs) / 1_000);
    };
  }

  cacheUsed(outcome: CacheOutcome): void {
    this.#cache.inc({ outcome });
  }

  overloaded(): void {
    this.#overloads.inc();
  }

  #labels({ type, protocol, source }: DnsFacts): DnsLabels {
    const service = knownLabel(source?.canonicalName);
    const revision = knownLabel(source?.canonicalRevision);
    const isKept = this.#keeps(`${service} ${revision}`);
    return {
      request_query_type: typeNames[type] ?? 'unknown',
      request_protocol: protocol,
      source_canonical_service: isKept ? service : 'overflow',
      source_canonical_revision: isKept ? revision : 'overflow',
    };
  }

  #keeps(source: string): boolean {
    if (this.#sources.has(source)) return true;
    if (this.#sources.size >= this.#maxSources) return false;
    this.#sources.add(source);
    return true;
  }
}
