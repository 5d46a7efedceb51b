import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { OutlierPolicy } from '@clearmesh/shared/model/l7/resilience';
import type { DispatchResult, DispatchedAnswer, ObservedEnd } from '../../src/forward/dispatch-request.ts';
import { UpstreamError } from '../../src/forward/wire-failure.ts';
import { Bench, resilience, settled } from './fake-upstream.ts';

const { retry, timeouts, limits } = resilience();
const outlierDetection: OutlierPolicy = {
  consecutive5xx: 2,
  consecutiveLocal: 2,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  panicPercent: 50,
  panic: 'spread',
};

function answered(result: DispatchResult): DispatchedAnswer {
  if (result.kind !== 'answer') throw new Error(`failed: ${result.failure.kind}: ${result.failure.detail}`);
  return result;
}

function kindOf(result: DispatchResult): string {
  return result.kind === 'answer' ? String(result.answer.status) : result.failure.kind;
}

describe('Dispatcher', () => {
  let bench: Bench;

  beforeEach(() => (bench = new Bench()));
  afterEach(() => bench[Symbol.dispose]());

  function endpointsSent(): readonly string[] {
    return bench.upstream.sent.map(({ endpoint }) => endpoint.name);
  }

  it('carries a request to an endpoint and its answer back', async () => {
    bench.upstream.acts = [{ status: 201, headers: { etag: '"1"' }, body: 'booked', trailers: { 'x-sum': '1' } }];
    const result = answered(await bench.result({ method: 'POST', body: Buffer.from('50 EUR'), headers: { accept: '*/*' } }));
    expect(result).to.include({ attempts: 1, flag: '-' });
    expect(result.answer).to.include({ status: 201 });
    expect(await text(result.answer.body)).to.equal('booked');
    expect(result.answer.trailers()).to.deep.equal({ 'x-sum': '1' });
    expect(await result.ended).to.deep.equal({ kind: 'complete' });
    expect(bench.upstream.sent[0]?.request.headers).to.deep.equal({ accept: '*/*', 'x-envoy-attempt-count': '1' });
    expect(bench.counts).to.deep.equal(new Map([['ended answer', 1]]));
  });

  it('tries another endpoint, and says which attempt it is', async () => {
    bench.upstream.acts = [{ fail: 'connect-failure' }, { status: 200 }];
    const result = answered(await bench.result({ method: 'POST' }));
    expect(result.attempts).to.equal(2);
    const [first, second] = endpointsSent();
    expect(first).to.not.equal(second);
    expect(bench.upstream.sent.map(({ request }) => request.headers['x-envoy-attempt-count'])).to.deep.equal(['1', '2']);
    expect(bench.counts.get('retried connect-failure')).to.equal(1);
  });

  it('sends a streamed body again from its first byte', async () => {
    const bodies: Promise<string>[] = [];
    bench.upstream.behave = async ({ body }) => {
      bodies.push(text(body as Readable));
      await bodies.at(-1);
      return bodies.length === 1 ? { fail: 'refused-stream' } : { status: 200 };
    };
    await bench.result({ method: 'POST', body: Readable.from([Buffer.from('50 '), Buffer.from('EUR')], { objectMode: false }) });
    expect(await Promise.all(bodies)).to.deep.equal(['50 EUR', '50 EUR']);
  });

  it('does not send again what it could not keep', async () => {
    bench.upstream.behave = async ({ body }) => {
      await text(body as Readable);
      return { fail: 'refused-stream' };
    };
    const body = Readable.from([Buffer.alloc(70_000)], { objectMode: false });
    expect(kindOf(await bench.result({ method: 'POST', body }))).to.equal('refused-stream');
    expect(bench.upstream.sent).to.have.length(1);
    expect(bench.counts.get('refused body')).to.equal(1);
  });

  it('hands the last answer over when attempts are used up', async () => {
    bench.upstream.acts = [
      { status: 503, body: 'first' },
      { status: 503, body: 'second' },
    ];
    const result = answered(await bench.result({ policy: { retry: { ...retry, on: ['5xx'] } } }));
    expect(result).to.include({ attempts: 2, flag: 'URX' });
    expect(await text(result.answer.body)).to.equal('second');
    expect(bench.counts.get('refused attempts')).to.equal(1);
  });

  it('answers 503 beyond the retry budget', async () => {
    bench.upstream.acts = [{ status: 502 }];
    const budget = { percent: 0, intervalMs: 10_000, minPerSecond: 0 };
    const result = await bench.result({ policy: { retry: { ...retry, on: ['5xx'], budget } } });
    expect(result).to.include({ kind: 'failed', flag: 'UO', outcome: 'unknown' });
    expect(kindOf(result)).to.equal('overflow');
    bench.upstream.acts = [{ fail: 'refused-stream' }];
    const refusedStream = await bench.result({ policy: { retry: { ...retry, budget } } });
    expect(refusedStream).to.include({ outcome: 'not-dispatched' });
    expect(refusedStream).to.have.nested.property('failure.status', 503);
  });

  it('shares one budget between all routes to a backend', async () => {
    bench.upstream.acts = [{ fail: 'connect-failure' }];
    const budget = { percent: 0, intervalMs: 10_000, minPerSecond: 2 };
    const policy = { retry: { ...retry, budget, backoff: { baseMs: 0, maxMs: 0 } } };
    await Promise.all(['a', 'b', 'c', 'd'].map((route) => bench.result({ route, policy })));
    expect(bench.upstream.sent).to.have.length(4 + 2);
  });

  describe('time', () => {
    it('ends the attempt, and tries again where that is safe', async () => {
      bench.upstream.acts = ['hang', { status: 200 }];
      const policy = { timeouts: { ...timeouts, backendRequestMs: 100 }, retry: { ...retry, on: ['per-try-timeout'] as const } };
      expect(answered(await bench.result({ policy })).attempts).to.equal(2);
      expect(bench.upstream.sent[0]?.signal.aborted).to.equal(true);
      expect(bench.upstream.sent[1]?.request.headers).to.include({ 'x-envoy-is-timeout-retry': 'true' });
    });

    it('never tries a payment again whose outcome is unknown', async () => {
      bench.upstream.acts = ['hang', { status: 200 }];
      const policy = {
        timeouts: { ...timeouts, backendRequestMs: 100 },
        retry: { ...retry, on: ['per-try-timeout', '5xx', 'reset'] as const },
      };
      const result = await bench.result({ method: 'POST', policy });
      expect(kindOf(result)).to.equal('per-try-timeout');
      expect(result).to.include({ outcome: 'unknown', attempts: 1, flag: 'UT' });
    });

    it('takes an endpoint that is too slow to be connected with for one that cannot be', async () => {
      bench.upstream.acts = ['connecting', { status: 200 }];
      const policy = { timeouts: { ...timeouts, backendRequestMs: 100 } };
      expect(answered(await bench.result({ method: 'POST', policy })).attempts).to.equal(2);
    });

    it('contains all attempts and waits, and says what is known of the outcome', async () => {
      const policy = { timeouts: { ...timeouts, requestMs: 200 } };
      for (const [act, outcome] of [
        ['hang', 'unknown'],
        ['connecting', 'not-dispatched'],
        ['deaf', 'unknown'],
      ] as const) {
        bench.upstream.behave = () => act;
        const startedMs = bench.clock.monotonicMs();
        const result = await bench.result({ policy });
        expect(kindOf(result)).to.equal('request-timeout');
        expect(result).to.include({ outcome, flag: 'UT' });
        expect(bench.clock.monotonicMs() - startedMs).to.be.within(200, 250);
      }
    });

    it('lets the last of several attempts use what remains', async () => {
      bench.upstream.behave = () => 'hang';
      const policy = {
        timeouts: { ...timeouts, requestMs: 500, backendRequestMs: 100 },
        retry: { ...retry, on: ['per-try-timeout'] as const },
      };
      const startedMs = bench.clock.monotonicMs();
      expect(kindOf(await bench.result({ policy }))).to.equal('request-timeout');
      expect(bench.clock.monotonicMs() - startedMs).to.be.at.least(500);
      expect(bench.upstream.sent).to.have.length(2);
    });

    it('dispatches nothing with too little left of the caller’s deadline', async () => {
      const policy = { timeouts: { ...timeouts, minServiceMs: 50 } };
      const result = await bench.result({ policy, headers: { 'x-mesh-deadline-ms': '49' } });
      expect(kindOf(result)).to.equal('late');
      expect(result).to.include({ outcome: 'not-dispatched', flag: 'LATE', attempts: 0 });
      expect(bench.upstream.sent).to.have.length(0);
    });

    it('takes off what it used up before it tells the next hop', async () => {
      bench.upstream.acts = [{ fail: 'connect-failure' }, { status: 200 }];
      const request = bench.request({ grpc: true, headers: { 'x-mesh-deadline-ms': '1000' } });
      bench.clock.advance(300);
      const dispatched = bench.dispatcher.dispatch(request, new AbortController().signal);
      await bench.advance(100);
      await dispatched;
      const [first, second] = bench.upstream.sent.map(({ request: { headers } }) => headers);
      expect(first).to.include({ 'x-mesh-deadline-ms': '700', 'grpc-timeout': '700m' });
      expect(Number(second?.['x-mesh-deadline-ms'])).to.be.within(665, 700);
    });

    it('ends what is silent before the head', async () => {
      bench.upstream.acts = ['hang'];
      const policy = { timeouts: { ...timeouts, idleMs: 1_000 } };
      const result = await bench.result({ policy });
      expect(kindOf(result)).to.equal('idle-timeout');
      expect(result).to.include({ outcome: 'unknown', flag: 'SI' });
    });

    it('ends an answer that falls silent, and none that moves', async () => {
      const body = new PassThrough();
      bench.upstream.acts = [{ status: 200, body }];
      const { answer, ended } = answered(await bench.result({ policy: { timeouts: { ...timeouts, idleMs: 1_000 } } }));
      const errors: unknown[] = [];
      answer.body.on('error', (error) => errors.push(error)).resume();
      for (let second = 0; second < 5; second++) {
        body.write('tick');
        await bench.advance(900, 100);
      }
      expect(errors).to.deep.equal([]);
      await bench.advance(1_500, 100);
      expect(errors[0]).to.be.instanceOf(UpstreamError);
      expect(await ended).to.have.nested.property('failure.kind', 'idle-timeout');
      expect(body.destroyed).to.equal(true);
    });

    it('ends the answer’s body with the deadline, and does not blame the endpoint', async () => {
      const body = new PassThrough();
      bench.upstream.acts = [{ status: 200, body }];
      const policy = {
        timeouts: { ...timeouts, requestMs: 1_000 },
        outlierDetection: { ...outlierDetection, consecutiveLocal: 1 },
      };
      const { answer, ended } = answered(await bench.result({ policy }));
      answer.body.resume();
      await bench.advance(1_100, 100);
      expect(await ended).to.have.nested.property('failure.kind', 'request-timeout');
      expect(bench.dispatcher.status.ejected).to.equal(0);
    });

    it('goes no further when the caller is gone, whatever was under way', async () => {
      bench.upstream.acts = ['hang'];
      const caller = new AbortController();
      const dispatched = bench.dispatch({}, caller.signal);
      await settled();
      caller.abort();
      const result = await dispatched;
      expect(kindOf(result)).to.equal('caller-gone');
      expect(result).to.include({ outcome: 'unknown', attempts: 1 });
      const gone = await bench.result({}, caller.signal);
      expect(gone).to.include({ outcome: 'not-dispatched', attempts: 0 });
      expect(bench.upstream.sent).to.have.length(1);
    });

    it('does not wait out the back-off for a caller that is gone', async () => {
      bench.upstream.acts = [{ status: 503, headers: { 'retry-after': '60' } }];
      const caller = new AbortController();
      const dispatched = bench.dispatch({ policy: { retry: { ...retry, on: ['5xx'] } } }, caller.signal);
      await settled();
      caller.abort();
      expect(kindOf(await dispatched)).to.equal('caller-gone');
      expect(bench.clock.pendingTimers).to.be.at.most(1);
    });
  });

  describe('answers', () => {
    it('tells that an answer broke off, even if its stream only closes', async () => {
      for (const error of [undefined, new Error('ECONNRESET')]) {
        const body = new PassThrough();
        bench.upstream.acts = [{ status: 200, body }];
        bench.upstream.sent.length = 0;
        const { answer, ended } = answered(await bench.result());
        const failed = text(answer.body).then(
          () => 'complete',
          (thrown: unknown) => (thrown instanceof UpstreamError ? thrown.failure.kind : String(thrown)),
        );
        body.write('part');
        await settled();
        body.destroy(error);
        expect(await failed).to.equal('reset-in-answer');
        expect(await ended).to.have.nested.property('failure.kind', 'reset-in-answer');
      }
      expect(bench.counts.get('ended reset-in-answer')).to.equal(2);
    });

    it('ends the attempt of a caller that leaves its answer', async () => {
      const body = new PassThrough();
      bench.upstream.acts = [{ status: 200, body }];
      const { answer, ended } = answered(await bench.result());
      answer.body.destroy();
      expect(await ended).to.have.nested.property('failure.kind', 'caller-gone');
      expect(body.destroyed).to.equal(true);
      expect(bench.dispatcher.active).to.equal(0);
    });

    it('keeps back-pressure', async () => {
      const body = new PassThrough({ highWaterMark: 1_024 });
      bench.upstream.acts = [{ status: 200, body }];
      const { answer } = answered(await bench.result());
      answer.body.read(0);
      let written = 0;
      while (written < 64 && body.write(Buffer.alloc(64 * 1024))) {
        written += 1;
        await settled();
      }
      expect(written).to.be.below(10);
      answer.body.destroy();
    });

    it('measures the round trip until the first byte of the body', async () => {
      const body = new PassThrough();
      bench = new Bench({ endpoints: 1 });
      bench.upstream.acts = [{ status: 200, body }];
      const { answer } = answered(await bench.result());
      answer.body.resume();
      await bench.advance(400);
      body.write('first');
      await settled();
      await bench.advance(5_000, 100);
      body.end('last');
      await settled();
      expect(bench.dispatcher.status.endpoints[0]?.ewmaMs).to.be.within(395, 410);
    });

    it('does not hang on an early answer, and lets the rest of the request flow', async () => {
      const source = new PassThrough({ highWaterMark: 16 });
      source.write('begun');
      bench.upstream.behave = ({ body }) => {
        (body as Readable).resume();
        return { status: 413, body: 'no' };
      };
      const { answer } = answered(await bench.result({ method: 'POST', body: source }));
      expect(await text(answer.body)).to.equal('no');
      await settled();
      let drained = false;
      source.write(Buffer.alloc(100_000), () => (drained = true));
      await settled();
      expect(drained).to.equal(true);
    });

    it('ends a request whose body is larger than it may be', async () => {
      bench.upstream.behave = async ({ body, signal }) => {
        (body as Readable).resume();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return { fail: 'reset' };
      };
      const body = Readable.from([Buffer.alloc(600), Buffer.alloc(600)], { objectMode: false });
      const result = await bench.result({ method: 'POST', body, policy: { limits: { ...limits, maxRequestBytes: 1_000 } } });
      expect(kindOf(result)).to.equal('body-too-large');
      expect(result).to.include({ outcome: 'unknown' });
    });
  });

  describe('gRPC', () => {
    const grpc = { method: 'POST', grpc: true, path: '/ledger.Ledger/Balance' };
    const trailersOnly = (status: number) => ({ status: 200, headers: { 'grpc-status': String(status) } });

    it('tries UNAVAILABLE in the head again where the policy says that it may', async () => {
      bench.upstream.acts = [trailersOnly(14), trailersOnly(0)];
      const on = ['grpc-unavailable'] as const;
      const retried = await bench.result({ ...grpc, policy: { retry: { ...retry, on, grpcIdempotent: [grpc.path] } } });
      expect(answered(retried).attempts).to.equal(2);
      bench.upstream.sent.length = 0;
      expect(answered(await bench.result({ ...grpc, policy: { retry: { ...retry, on } } })).attempts).to.equal(1);
    });

    it('ejects by the status in the head or in trailers without a message, and never for PERMISSION_DENIED', async () => {
      const table = [
        { act: trailersOnly(14), ejects: true },
        { act: { status: 200, trailers: { 'grpc-status': '14' } }, ejects: true },
        { act: { status: 200, body: 'message', trailers: { 'grpc-status': '14' } }, ejects: false },
        { act: trailersOnly(7), ejects: false },
        { act: trailersOnly(0), ejects: false },
        { act: { status: 503 }, ejects: true },
      ];
      for (const { act, ejects } of table) {
        using bench = new Bench({ endpoints: 2 });
        bench.upstream.acts = [act];
        for (let request = 0; request < 10; request++) {
          const result = answered(await bench.result({ ...grpc, policy: { outlierDetection } }));
          await text(result.answer.body);
          await result.ended;
        }
        expect(bench.dispatcher.status.ejected, JSON.stringify(act)).to.equal(ejects ? 1 : 0);
      }
    });
  });

  describe('limits', () => {
    const hanging = async (count: number, policy: Parameters<typeof resilience>[0] = {}): Promise<() => void> => {
      bench.upstream.behave = () => 'hang';
      const caller = new AbortController();
      for (let request = 0; request < count; request++) void bench.dispatch({ policy }, caller.signal);
      await settled();
      return () => caller.abort();
    };

    it('refuses more requests than it may have, and blames nobody', async () => {
      const policy = { limits: { ...limits, maxRequests: 2 }, outlierDetection: { ...outlierDetection, consecutiveLocal: 1 } };
      const release = await hanging(2, policy);
      const result = await bench.result({ policy });
      expect(result).to.include({ kind: 'failed', flag: 'UO', outcome: 'not-dispatched' });
      expect(result).to.have.nested.property('failure.headers').that.deep.equals({ 'x-envoy-overloaded': 'true' });
      expect(bench.dispatcher.status).to.include({ active: 2, ejected: 0 });
      release();
      await settled();
      expect(bench.dispatcher.active).to.equal(0);
    });

    it('lets requests wait for a connection, and refuses those beyond', async () => {
      const policy = { limits: { ...limits, maxConnections: 1, maxPending: 1 } };
      const release = await hanging(1, policy);
      const waiting = bench.dispatch({ policy });
      await settled();
      expect(bench.dispatcher.status).to.include({ connections: 1, pending: 1 });
      expect(kindOf(await bench.result({ policy }))).to.equal('overflow');
      bench.upstream.behave = () => ({ status: 200 });
      release();
      const { answer } = answered(await waiting);
      await text(answer.body);
      await settled();
      expect(bench.dispatcher.status).to.include({ connections: 0, pending: 0, active: 0 });
    });

    it('does not let a caller that is gone keep its place', async () => {
      const policy = { limits: { ...limits, maxConnections: 1 } };
      const release = await hanging(1, policy);
      const caller = new AbortController();
      const waiting = bench.dispatch({ policy }, caller.signal);
      await settled();
      caller.abort();
      expect(kindOf(await waiting)).to.equal('caller-gone');
      expect(bench.dispatcher.status.pending).to.equal(0);
      release();
    });

    it('limits retries under way', async () => {
      let attempts = 0;
      bench.upstream.behave = () => (++attempts <= 3 ? { fail: 'connect-failure' } : 'hang');
      const policy = { limits: { ...limits, maxRetries: 2 }, retry: { ...retry, backoff: { baseMs: 0, maxMs: 0 } } };
      const results = [1, 2, 3].map(() => bench.dispatch({ policy }));
      await bench.advance(20);
      expect(bench.dispatcher.status.retries).to.equal(2);
      const first = await Promise.race(results);
      expect(kindOf(first)).to.equal('connect-failure');
      expect(first).to.include({ flag: 'UO' });
    });

    it('counts upgraded streams apart', async () => {
      const policy = { limits: { ...limits, maxUpgraded: 1, maxRequests: 1 } };
      const lease = bench.dispatcher.lease(bench.request({ policy }));
      if (lease.kind === 'failed') throw new Error(lease.failure.detail);
      lease.recvAnswer(101);
      expect(bench.dispatcher.lease(bench.request({ policy }))).to.include({ kind: 'failed', flag: 'UO' });
      expect(kindOf(await bench.result({ policy }))).to.equal('200');
      lease.end();
      expect(bench.dispatcher.status.upgraded).to.equal(0);
      expect(bench.dispatcher.status.endpoints.every(({ inFlight }) => inFlight <= 1)).to.equal(true);
    });
  });

  describe('breaker', () => {
    const circuitBreaker = { errorThresholdPercent: 50, volumeThreshold: 5, windowMs: 10_000, openMs: 1_000, maxOpenMs: 60_000 };

    it('refuses without a failure of anybody while it is open, for its route only', async () => {
      bench.upstream.behave = () => ({ status: 500 });
      for (let request = 0; request < 5; request++)
        answered(await bench.result({ policy: { circuitBreaker } })).answer.body.resume();
      await settled();
      const result = await bench.result({ policy: { circuitBreaker } });
      expect(kindOf(result)).to.equal('breaker-open');
      expect(result).to.include({ outcome: 'not-dispatched', flag: 'UO' });
      expect(kindOf(await bench.result({ policy: { circuitBreaker }, route: 'another' }))).to.equal('500');
      expect(bench.dispatcher.status.breakers.map(({ state }) => state)).to.deep.equal(['open', 'closed']);
    });

    it('trap 2: being full does not open it', async () => {
      const policy = { circuitBreaker, limits: { ...limits, maxRequests: 0 } };
      for (let request = 0; request < 50; request++) await bench.result({ policy });
      const pending = { circuitBreaker, limits: { ...limits, maxConnections: 0, maxPending: 0 } };
      for (let request = 0; request < 50; request++) await bench.result({ policy: pending });
      expect(bench.dispatcher.status.breakers).to.satisfy((breakers: { state: string; attempts: number }[]) =>
        breakers.every(({ state, attempts }) => state === 'closed' && attempts === 0),
      );
    });

    it('trap 3: one attempt’s timeout ends no other', async () => {
      bench.upstream.acts = ['hang', 'hang'];
      const first = bench.dispatch({ policy: { circuitBreaker, timeouts: { ...timeouts, backendRequestMs: 100 } } });
      void bench.dispatch({ policy: { circuitBreaker } });
      await settled();
      await bench.advance(200);
      expect(kindOf(await first)).to.equal('per-try-timeout');
      expect(bench.upstream.sent.map(({ signal }) => signal.aborted)).to.deep.equal([true, false]);
    });

    it('keeps what it learned when a configuration of the same content comes', async () => {
      bench.upstream.behave = () => ({ status: 500 });
      for (let request = 0; request < 5; request++) {
        answered(await bench.result({ policy: { circuitBreaker: { ...circuitBreaker } } })).answer.body.resume();
      }
      await settled();
      expect(kindOf(await bench.result({ policy: { circuitBreaker: { ...circuitBreaker } } }))).to.equal('breaker-open');
      bench.backends.retain((_backend, route) => route === undefined);
      expect(bench.dispatcher.status.breakers).to.deep.equal([]);
    });
  });

  it('tells an observer of every attempt once, when it starts and when it ends', async () => {
    bench.upstream.acts = [{ fail: 'connect-failure' }, { status: 200, body: 'ok' }];
    const seen: (string | ObservedEnd)[] = [];
    const onAttempt = (_endpoint: unknown, attempt: number, headers: Record<string, unknown>) => {
      headers['traceparent'] = `span-${attempt}`;
      seen.push(`${attempt} starts`);
      return { connect: { traceparent: `span-${attempt}` }, end: (end: ObservedEnd) => seen.push(end) };
    };
    const { answer } = answered(await bench.result({ onAttempt }));
    expect(seen).to.deep.equal(['1 starts', { failure: 'connect-failure' }, '2 starts']);
    await text(answer.body);
    await settled();
    expect(seen.at(-1)).to.deep.equal({ status: 200 });
    expect(
      bench.upstream.sent.map(({ request: { headers, connect } }) => [headers['traceparent'], connect?.traceparent]),
    ).to.deep.equal([
      ['span-1', 'span-1'],
      ['span-2', 'span-2'],
    ]);
  });

  it('has no endpoint where there is none', async () => {
    const result = await bench.result({ endpoints: [] });
    expect(kindOf(result)).to.equal('no-healthy-endpoint');
    expect(result).to.include({ outcome: 'not-dispatched', flag: 'UH', attempts: 0 });
  });
});
