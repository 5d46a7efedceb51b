import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { streamOf } from '../../src/exchange/answer-body.ts';
import { UpstreamError } from '../../src/forward/wire-failure.ts';
import { answered, kindOf, outlierDetection } from './dispatched.ts';
import { Bench, resilience, settled } from './fake-upstream.ts';

const { retry, limits } = resilience();

describe('Dispatcher, from the head on', () => {
  let bench: Bench;

  beforeEach(() => (bench = new Bench()));
  afterEach(() => bench[Symbol.dispose]());

  describe('answers', () => {
    it('tells that an answer broke off, even if its stream only closes', async () => {
      for (const error of [undefined, new Error('ECONNRESET')]) {
        const body = new PassThrough();
        bench.upstream.acts = [{ status: 200, body }];
        bench.upstream.sent.length = 0;
        const { answer, ended } = answered(await bench.result());
        const failed = text(streamOf(answer.body)).then(
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
      streamOf(answer.body).destroy();
      expect(await ended).to.have.nested.property('failure.kind', 'caller-gone');
      expect(body.destroyed).to.equal(true);
      expect(bench.dispatcher.active).to.equal(0);
    });

    it('keeps back-pressure', async () => {
      const body = new PassThrough({ highWaterMark: 1_024 });
      bench.upstream.acts = [{ status: 200, body }];
      const { answer } = answered(await bench.result());
      streamOf(answer.body).read(0);
      let written = 0;
      while (written < 64 && body.write(Buffer.alloc(64 * 1024))) {
        written += 1;
        await settled();
      }
      expect(written).to.be.below(10);
      streamOf(answer.body).destroy();
    });

    it('measures the round trip until the first byte of the body', async () => {
      const body = new PassThrough();
      bench = new Bench({ endpoints: 1 });
      bench.upstream.acts = [{ status: 200, body }];
      const { answer } = answered(await bench.result());
      streamOf(answer.body).resume();
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
      expect(await text(streamOf(answer.body))).to.equal('no');
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
          await text(streamOf(result.answer.body));
          await result.ended;
        }
        expect(bench.dispatcher.status.ejected, JSON.stringify(act)).to.equal(ejects ? 1 : 0);
      }
    });
  });
});
