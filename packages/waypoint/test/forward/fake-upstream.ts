/** A backend whose endpoints do as a test says, and a dispatcher before it on a clock that stands still. */
import { Readable } from 'node:stream';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { ResiliencePolicy } from '@clearmesh/shared/model/l7/resilience';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { ip } from '@clearmesh/shared/testing/builders';
import type { FailureKind } from '../../src/exchange/failure.ts';
import type { BreakerFactory } from '../../src/forward/breaker.ts';
import { Backends } from '../../src/forward/backends.ts';
import type { Dispatcher } from '../../src/forward/dispatch.ts';
import type { DispatchRequest, DispatchResult } from '../../src/forward/dispatch-request.ts';
import { defaultResilience } from '@clearmesh/shared/model/l7/resilience';
import { forwardPolicy } from '../../src/forward/forward-policy.ts';
import type {
  AttemptOutcome,
  Upstream,
  UpstreamBody,
  UpstreamEndpoint,
  UpstreamHeaders,
  UpstreamRequest,
} from '../../src/forward/upstream.ts';

/** What an attempt does. `hang` obeys its signal as U3 says; `deaf` does not. */
export type Act =
  | { readonly fail: FailureKind }
  | {
      readonly status: number;
      readonly headers?: UpstreamHeaders;
      readonly trailers?: UpstreamHeaders;
      readonly body?: Readable | string;
    }
  | 'hang'
  | 'connecting'
  | 'deaf';

export type Sent = {
  readonly endpoint: UpstreamEndpoint;
  readonly request: UpstreamRequest;
  readonly body: UpstreamBody;
  readonly signal: AbortSignal;
};

export class FakeUpstream implements Upstream {
  readonly sent: Sent[] = [];
  /** Of each attempt in turn; the last one again and again. */
  acts: readonly Act[] = [{ status: 200 }];
  /** Instead of `acts`. */
  behave: ((sent: Sent) => Act | Promise<Act>) | undefined;

  async send(
    endpoint: UpstreamEndpoint,
    request: UpstreamRequest,
    body: UpstreamBody,
    signal: AbortSignal,
  ): Promise<AttemptOutcome> {
    const sent = { endpoint, request: { ...request, headers: { ...request.headers } }, body, signal };
    this.sent.push(sent);
    const act =
      this.behave === undefined ? (this.acts[this.sent.length - 1] ?? this.acts.at(-1) ?? 'hang') : await this.behave(sent);
    return outcomeOf(act, signal);
  }
}

function outcomeOf(act: Act, signal: AbortSignal): AttemptOutcome | Promise<AttemptOutcome> {
  if (act === 'deaf') return new Promise(() => {});
  if (act === 'hang' || act === 'connecting') {
    const kind = act === 'hang' ? 'reset' : 'reset-before-request';
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'failed', failure: { kind, detail: 'aborted' } }));
    });
  }
  if ('fail' in act) return { kind: 'failed', failure: { kind: act.fail, detail: `told to fail: ${act.fail}` } };
  const { status, headers = {}, trailers = {}, body = '' } = act;
  const readable = typeof body === 'string' ? Readable.from(body === '' ? [] : [Buffer.from(body)], { objectMode: false }) : body;
  return { kind: 'answer', answer: { status, headers, body: readable, trailers: () => trailers } };
}

export function endpointsOf(count: number, protocol: UpstreamEndpoint['protocol'] = 'HTTP/1.1'): readonly UpstreamEndpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `pod-${index}/8080`,
    workload: `pod-${index}` as WorkloadUid,
    name: `ledger-${index}`,
    address: { ip: ip(`10.0.0.${index + 1}`), port: 8_080 },
    protocol,
  }));
}

export function resilience(changes: Partial<ResiliencePolicy> = {}): ResiliencePolicy {
  return { ...defaultResilience, ...changes };
}

export type Spec = Partial<Omit<DispatchRequest, 'policy'>> & { readonly policy?: Partial<ResiliencePolicy> };

export type BenchOptions = { readonly endpoints?: number; readonly random?: Random; readonly createBreaker?: BreakerFactory };

function defaultRandom(): Random {
  return new FakeRandom([0.5, 0.1, 0.9, 0.3, 0.7]);
}

/** A clock, a backend, and requests to it. */
export class Bench implements Disposable {
  readonly clock: FakeClock = new FakeClock();
  readonly upstream: FakeUpstream = new FakeUpstream();
  readonly counts: Map<string, number> = new Map();
  readonly backends: Backends;
  readonly endpoints: readonly UpstreamEndpoint[];

  constructor({ endpoints = 3, random = defaultRandom(), createBreaker }: BenchOptions = {}) {
    this.endpoints = endpointsOf(endpoints);
    const count = (name: string): void => void this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.backends = new Backends(
      {},
      {
        upstream: this.upstream,
        clock: this.clock,
        random,
        ...(createBreaker === undefined ? {} : { createBreaker }),
        metrics: {
          attemptEnded: (outcome) => count(`ended ${outcome}`),
          retried: (reason) => count(`retried ${reason}`),
          retryRefused: (reason) => count(`refused ${reason}`),
          ejected: (cause) => count(`ejected ${cause}`),
        },
      },
    );
  }

  get dispatcher(): Dispatcher {
    return this.backends.of('bank/ledger:8080');
  }

  request({ policy, ...spec }: Spec = {}): DispatchRequest {
    return {
      policy: forwardPolicy(resilience(policy)),
      route: 'HTTPRoute bank/ledger 0',
      endpoints: this.endpoints,
      method: 'GET',
      path: '/accounts',
      authority: 'ledger:8080',
      headers: {},
      grpc: false,
      caller: 'spiffe://cluster.local/ns/shop/sa/web' as SpiffeId,
      body: undefined,
      startedMs: this.clock.monotonicMs(),
      ...spec,
    };
  }

  dispatch(spec: Spec = {}, signal: AbortSignal = new AbortController().signal): Promise<DispatchResult> {
    return this.dispatcher.dispatch(this.request(spec), signal);
  }

  /** Moves time in steps, so that what waits can go on in between. */
  async advance(ms: number, stepMs = 5): Promise<void> {
    for (let moved = 0; moved < ms; moved += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - moved));
      await settled();
    }
  }

  /** Dispatches and moves time until there is a result. */
  async result(spec: Spec = {}, signal?: AbortSignal): Promise<DispatchResult> {
    const dispatched = this.dispatch(spec, signal);
    const progress = { done: false };
    void dispatched.then(() => (progress.done = true));
    await settled();
    for (let moved = 0; !progress.done && moved < 700_000; moved += 5) {
      this.clock.advance(Math.max(5, Math.min(this.clock.nextTimerMs ?? 5, 250)));
      await settled();
    }
    return dispatched;
  }

  [Symbol.dispose](): void {
    this.backends[Symbol.dispose]();
  }
}

/** Everything that can happen without time has happened. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
