import { expect } from 'chai';
import { describe, it } from 'mocha';
import { PassThrough, Readable } from 'node:stream';
import { bufferBody } from '../../src/shape/idempotency-body.ts';

const lasting = new AbortController().signal;

describe('bufferBody', () => {
  it('gives the whole body', async () => {
    const outcome = await bufferBody(Readable.from([Buffer.from('pay '), Buffer.from('alice')]), {}, lasting);
    expect(outcome.kind === 'body' && outcome.body.toString()).to.equal('pay alice');
  });

  it('gives an empty body', async () => {
    const outcome = await bufferBody(Readable.from([]), {}, lasting);
    expect(outcome.kind === 'body' && outcome.body.length).to.equal(0);
  });

  it('takes a body of exactly the bound', async () => {
    expect((await bufferBody(Readable.from([Buffer.alloc(8)]), { maxBytes: 8 }, lasting)).kind).to.equal('body');
  });

  it('refuses a larger body without reading on', async () => {
    const source = new PassThrough();
    const outcome = bufferBody(source, { maxBytes: 8 }, lasting);
    source.write(Buffer.alloc(9));
    const refused = await outcome;
    expect(refused.kind === 'refused' && refused.failure.kind).to.equal('body-too-large');
    expect([source.isPaused(), source.destroyed]).to.deep.equal([true, false]);
  });

  it('refuses a body that is announced too large, unread', async () => {
    const source = new PassThrough();
    const refused = await bufferBody(source, { maxBytes: 8, announcedBytes: 9 }, lasting);
    expect(refused.kind === 'refused' && refused.failure.kind).to.equal('body-too-large');
    expect(source.listenerCount('data')).to.equal(0);
  });

  for (const [title, error] of [
    ['leaves', undefined],
    ['fails', new Error('reset')],
  ] as const)
    it(`says so when the caller ${title} midway`, async () => {
      const source = new PassThrough();
      const outcome = bufferBody(source, {}, lasting);
      source.write('half');
      source.destroy(error);
      const refused = await outcome;
      expect(refused.kind === 'refused' && refused.failure.kind).to.equal('caller-gone');
    });

  it('rejects with the reason of its signal, and lets go of the stream', async () => {
    const source = new PassThrough();
    const abort = new AbortController();
    const outcome = bufferBody(source, {}, abort.signal);
    abort.abort(new Error('too late'));
    const thrown = await outcome.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect((thrown as Error).message).to.equal('too late');
    expect(source.listenerCount('data')).to.equal(0);
  });
});
