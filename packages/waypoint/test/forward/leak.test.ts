import { expect } from 'chai';
import { describe, it } from 'mocha';
import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { streamOf } from '../../src/exchange/answer-body.ts';
import { Bench, resilience, settled } from './fake-upstream.ts';
import type { Act } from './fake-upstream.ts';

const circuitBreaker = { errorThresholdPercent: 50, volumeThreshold: 20, windowMs: 10_000, openMs: 1_000, maxOpenMs: 60_000 };
const policy = { circuitBreaker, timeouts: { ...resilience().timeouts, requestMs: 10_000, backendRequestMs: 1_000 } };

describe('what is left after requests', () => {
  const acts: readonly { readonly title: string; readonly act: () => Act }[] = [
    { title: 'answers', act: () => ({ status: 200, body: 'ok' }) },
    { title: 'failures', act: () => ({ fail: 'connect-failure' }) },
    { title: 'answers that break off', act: () => ({ status: 200, body: brokenBody() }) },
    { title: 'attempts that hang', act: () => 'hang' },
    { title: 'attempts that do not obey', act: () => 'deaf' },
  ];
  for (const { title, act } of acts) {
    it(`is nothing after ${title}: no timer, no listener, no slot, no body`, async () => {
      using bench = new Bench();
      bench.upstream.behave = act;
      const caller = new AbortController();
      const sources: PassThrough[] = [];
      const results = Array.from({ length: 50 }, () => {
        const source = new PassThrough();
        sources.push(source);
        source.end('body');
        return bench.dispatch({ method: 'POST', body: source, policy }, caller.signal);
      });
      await bench.advance(11_000, 100);
      for (const result of await Promise.all(results)) {
        if (result.kind === 'failed') continue;
        streamOf(result.answer.body)
          .on('error', () => {})
          .resume();
        await result.ended;
      }
      await bench.advance(500, 100);
      const { active, retries, connections, pending, endpoints } = bench.dispatcher.status;
      expect([active, retries, connections, pending, bench.backends.active]).to.deep.equal([0, 0, 0, 0, 0]);
      expect(endpoints.map(({ inFlight }) => inFlight)).to.deep.equal([0, 0, 0]);
      expect(getEventListeners(caller.signal, 'abort')).to.have.length(0);
      expect(sources.every((source) => source.listenerCount('close') <= 1 && source.readableEnded)).to.equal(true);
      // What moves the windows of breakers on.
      expect(bench.clock.pendingTimers).to.equal(1);
      bench.backends[Symbol.dispose]();
      expect(bench.clock.pendingTimers).to.equal(0);
    });
  }

  it('is the bounded number of backends, of which busy ones are kept', async () => {
    using bench = new Bench();
    bench.upstream.acts = ['hang'];
    const first = bench.backends.of('backend 0');
    const caller = new AbortController();
    const dispatched = first.dispatch(bench.request(), caller.signal);
    await settled();
    for (let backend = 1; backend < 5_000; backend++) bench.backends.of(`backend ${backend}`);
    expect(bench.backends.size).to.equal(4_096);
    expect(bench.backends.of('backend 0')).to.equal(first);
    caller.abort();
    await dispatched;
    bench.backends.retain(() => false);
    expect(bench.backends.size).to.equal(0);
  });
});

function brokenBody(): Readable {
  const body = new PassThrough();
  body.write('part');
  setImmediate(() => body.destroy());
  return body;
}
