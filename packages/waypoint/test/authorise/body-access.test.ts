import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { PeekableBody } from '../../src/authorise/body-access.ts';
import { unaborted } from './requests.ts';

async function whole(body: PeekableBody): Promise<string> {
  const taken = body.take();
  return (Buffer.isBuffer(taken) ? taken : await buffer(taken)).toString();
}

function chunked(...chunks: readonly string[]): Readable {
  return Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
}

describe('a body that is looked into', () => {
  it('shows its beginning, and that there is more', async () => {
    const body = new PeekableBody(chunked('hello ', 'world'));
    expect(await body.peek(4, unaborted)).to.deep.equal({ kind: 'peeked', bytes: Buffer.from('hell'), truncated: true });
    expect(await whole(body)).to.equal('hello world');
  });

  it('is not truncated when it just fits', async () => {
    const body = new PeekableBody(chunked('hello'));
    expect(await body.peek(5, unaborted)).to.deep.include({ truncated: false });
    expect(await whole(body)).to.equal('hello');
  });

  it('may be empty', async () => {
    const body = new PeekableBody(chunked());
    expect(await body.peek(5, unaborted)).to.deep.equal({ kind: 'peeked', bytes: Buffer.alloc(0), truncated: false });
    expect(await whole(body)).to.equal('');
  });

  it('shows more to the next who asks for more', async () => {
    const body = new PeekableBody(chunked('ab', 'cd', 'ef'));
    await body.peek(1, unaborted);
    expect(await body.peek(5, unaborted)).to.deep.include({ bytes: Buffer.from('abcde'), truncated: true });
    expect(await whole(body)).to.equal('abcdef');
  });

  it('tells when its sender is gone', async () => {
    const source = new PassThrough();
    const peeked = new PeekableBody(source).peek(5, unaborted);
    source.destroy(new Error('reset'));
    source.on('error', () => {});
    expect(await peeked).to.deep.equal({ kind: 'gone' });
  });

  it('is not waited for by one who gave up, and leaves no listener', async () => {
    const source = new PassThrough();
    const body = new PeekableBody(source);
    const abort = new AbortController();
    const peeked = body.peek(5, abort.signal).catch((error: unknown) => error);
    const reason = new Error('late');
    abort.abort(reason);
    expect(await peeked).to.equal(reason);
    expect(source.listenerCount('readable')).to.equal(0);
    source.end('later');
    expect(await whole(body)).to.equal('later');
  });

  it('loses nothing, however it comes and however much is looked at', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ minLength: 1 }), { maxLength: 8 }), fc.nat(40), async (chunks, maxBytes) => {
        const text = chunks.join('');
        const body = new PeekableBody(chunked(...chunks));
        const peeked = await body.peek(maxBytes, unaborted);
        const bytes = Buffer.from(text);
        expect(peeked).to.deep.equal({
          kind: 'peeked',
          bytes: bytes.subarray(0, maxBytes),
          truncated: bytes.length > maxBytes,
        });
        expect(await whole(body)).to.equal(bytes.toString());
      }),
    );
  });
});
