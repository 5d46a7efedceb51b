import { expect } from 'chai';
import { describe, it } from 'mocha';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { CapturedAnswer } from '../../src/shape/idempotency-answer.ts';
import { captureAnswer } from '../../src/shape/idempotency-capture.ts';

type Setup = {
  readonly source: PassThrough;
  readonly forwarded: Readable;
  readonly reports: (CapturedAnswer | 'unknown')[];
  readonly store: PromiseWithResolvers<boolean>;
  readonly leave: AbortController;
};

/** An answer under way; what is reported is stored when `store` resolves. */
function setUp(maxBodyBytes = 1_024): Setup {
  const source = new PassThrough();
  const reports: (CapturedAnswer | 'unknown')[] = [];
  const store = Promise.withResolvers<boolean>();
  const leave = new AbortController();
  const report = (what: CapturedAnswer | 'unknown'): Promise<boolean> => {
    reports.push(what);
    return store.promise;
  };
  const answer = { status: 201, headers: { location: '/p/1' }, body: source, trailers: () => ({ 'grpc-status': '0' }) };
  const keeper = { maxBodyBytes, complete: report, unknown: () => report('unknown') };
  return { source, forwarded: captureAnswer(answer, keeper, leave.signal), reports, store, leave };
}

function received(stream: Readable): { readonly text: () => string; readonly ended: () => boolean } {
  let text = '';
  let ended = false;
  stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => (ended = true));
  return { text: () => text, ended: () => ended };
}

function bodyOf(report: CapturedAnswer | 'unknown' | undefined): string | undefined {
  return report === undefined || report === 'unknown' || report.body === undefined
    ? undefined
    : Buffer.from(report.body).toString();
}

describe('captureAnswer', () => {
  it('keeps the last chunk back until the answer is stored', async () => {
    const { source, forwarded, reports, store } = setUp();
    const caller = received(forwarded);
    source.write('one ');
    source.end('two');
    for (let turns = 0; turns < 10; turns++) await turn();
    expect([caller.text(), caller.ended()]).to.deep.equal(['one ', false]);
    expect(reports).to.deep.equal([
      { status: 201, headers: { location: '/p/1' }, trailers: { 'grpc-status': '0' }, body: Buffer.from('one two') },
    ]);
    store.resolve(true);
    await once(forwarded, 'end');
    expect(caller.text()).to.equal('one two');
  });

  it('forwards an answer that could not be stored', async () => {
    const { source, forwarded, store } = setUp();
    const caller = received(forwarded);
    store.resolve(false);
    source.end('done');
    await once(forwarded, 'end');
    expect(caller.text()).to.equal('done');
  });

  it('stores an answer without a body before it ends', async () => {
    const { source, forwarded, reports, store } = setUp();
    const caller = received(forwarded);
    source.end();
    for (let turns = 0; turns < 10; turns++) await turn();
    expect([bodyOf(reports[0]), caller.ended()]).to.deep.equal(['', false]);
    store.resolve(true);
    await once(forwarded, 'end');
  });

  it('stores an answer that is too large without its body', async () => {
    const { source, forwarded, reports, store } = setUp(4);
    const caller = received(forwarded);
    store.resolve(true);
    source.end('12345');
    await once(forwarded, 'end');
    expect(caller.text()).to.equal('12345');
    expect(bodyOf(reports[0])).to.equal(undefined);
    expect(reports[0]).to.include({ status: 201 });
  });

  for (const [title, error] of [
    ['breaks', new Error('reset')],
    ['closes early', undefined],
  ] as const)
    it(`reports an unknown outcome before the caller sees an answer that ${title}`, async () => {
      const { source, forwarded, reports, store } = setUp();
      received(forwarded);
      source.write('half');
      await turn();
      source.destroy(error);
      for (let turns = 0; turns < 10; turns++) await turn();
      expect([reports, forwarded.destroyed]).to.deep.equal([['unknown'], false]);
      store.resolve(true);
      const [thrown] = (await once(forwarded, 'error')) as [Error];
      expect(thrown.message).to.equal(error?.message ?? 'the answer broke off');
    });

  it('reads on and stores the answer when the caller leaves', async () => {
    const { source, forwarded, reports, store } = setUp();
    received(forwarded);
    store.resolve(true);
    source.write('one ');
    await turn();
    forwarded.destroy();
    await turn();
    source.end('two');
    await once(source, 'close');
    expect(reports.map(bodyOf)).to.deep.equal(['one two']);
  });

  it('stores all of an answer that waited for a caller who then leaves', async () => {
    const { source, forwarded, reports, store } = setUp(1_048_576);
    store.resolve(true);
    const chunk = 'x'.repeat(20_000);
    for (let chunks = 0; chunks < 20; chunks++) source.write(chunk);
    for (let turns = 0; turns < 10; turns++) await turn();
    forwarded.destroy();
    source.end();
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(bodyOf(reports[0])).to.have.lengthOf(400_000);
  });

  it('stores an answer that had ended when the caller left', async () => {
    const { source, forwarded, reports, store } = setUp(1_048_576);
    store.resolve(true);
    // Fits into the pipe, and is more than the caller has asked for.
    source.write('x'.repeat(20_000));
    source.write('x'.repeat(20_000));
    source.end('x'.repeat(20_000));
    for (let turns = 0; turns < 10; turns++) await turn();
    forwarded.destroy();
    for (let turns = 0; turns < 10; turns++) await turn();
    expect(bodyOf(reports[0])).to.have.lengthOf(60_000);
  });

  it('reports an answer that broke before it was looked at', async () => {
    const source = new PassThrough();
    source.on('error', () => {}).destroy(new Error('reset'));
    await turn();
    let reported = 0;
    const keeper = { maxBodyBytes: 8, complete: () => Promise.resolve(true), unknown: () => Promise.resolve(++reported > 0) };
    const forwarded = captureAnswer(
      { status: 200, headers: {}, body: source, trailers: () => ({}) },
      keeper,
      new AbortController().signal,
    );
    const [thrown] = (await once(forwarded, 'error')) as [Error];
    expect([thrown.message, reported]).to.deep.equal(['reset', 1]);
  });

  it('reports an unknown outcome when the answer breaks after the caller left', async () => {
    const { source, forwarded, reports, store } = setUp();
    received(forwarded);
    store.resolve(true);
    source.write('half');
    await turn();
    forwarded.destroy();
    source.destroy(new Error('reset'));
    await turn();
    expect(reports).to.deep.equal(['unknown']);
  });

  it('ends reading on when its time is over', async () => {
    const { source, forwarded, reports, store, leave } = setUp();
    received(forwarded);
    store.resolve(true);
    source.write('half');
    await turn();
    forwarded.destroy();
    await turn();
    leave.abort();
    await turn();
    expect([reports, source.destroyed]).to.deep.equal([['unknown'], true]);
  });
});
