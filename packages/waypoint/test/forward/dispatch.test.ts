import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { streamOf } from '../../src/exchange/answer-body.ts';
import type { ObservedEnd } from '../../src/forward/dispatch-request.ts';
import { UpstreamError } from '../../src/forward/wire-failure.ts';
import { answered, kindOf, outlierDetection } from './dispatched.ts';
import { Bench, resilience, settled } from './fake-upstream.ts';
import type { Act } from './fake-upstream.ts';

const { retry, timeouts } = resilience();
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
    expect(await text(streamOf(result.answer.body))).to.equal('booked');
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
    expect(bench.dispatcher.status).to.include({ active: 1, retries: 1, connections: 1 });
    streamOf(result.answer.body).resume();
    await result.ended;
    expect(bench.dispatcher.status).to.include({ active: 0, retries: 0, connections: 0 });
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
    expect(await text(streamOf(result.answer.body))).to.equal('second');
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
      streamOf(answer.body)
        .on('error', (error) => errors.push(error))
        .resume();
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
      streamOf(answer.body).resume();
      await bench.advance(1_100, 100);
      expect(await ended).to.have.nested.property('failure.kind', 'request-timeout');
      expect(bench.dispatcher.status.ejected).to.equal(0);
    });

    it('destroys an answer that comes after the attempt was given up', async () => {
      const late = Promise.withResolvers<Act>();
      const body = new PassThrough();
      bench.upstream.behave = () => late.promise;
      expect(kindOf(await bench.result({ policy: { timeouts: { ...timeouts, requestMs: 100 } } }))).to.equal('request-timeout');
      late.resolve({ status: 200, body });
      await settled();
      expect(body.destroyed).to.equal(true);
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
    await text(streamOf(answer.body));
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
