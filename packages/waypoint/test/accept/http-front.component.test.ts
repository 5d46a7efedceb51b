import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import http2 from 'node:http2';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import type { Conversation } from '../../src/accept/conversation.ts';
import { HttpFront } from '../../src/accept/http-front.ts';

/** Only identity matters here: the front hands on what it was given. */
const conversation = { declared: 'HTTP11' } as Conversation;

describe('HttpFront', () => {
  let front: HttpFront;
  let seen: string[];
  let refused: string[];

  beforeEach(async () => {
    seen = [];
    refused = [];
    front = await HttpFront.open(
      { headMs: 300 },
      {
        onRequest: (request, response, known) => {
          seen.push(`${request.method} ${request.url}${known === conversation ? '' : ' of a stranger'}`);
          let bytes = 0;
          request.on('data', (chunk: Buffer) => (bytes += chunk.length));
          const recvEnd = (): void => {
            response.setHeader('x-bytes', bytes);
            response.end('ok');
          };
          if (request.readableEnded) recvEnd();
          else request.on('end', recvEnd);
        },
        onUpgrade: (_request, stream, head) => stream.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${head.length}`),
        onRefused: (_known, reason) => refused.push(reason),
      },
    );
  });

  afterEach(() => front[Symbol.asyncDispose]());

  function open(): Duplex {
    const [near, far] = duplexPair();
    front.adopt(far, 'HTTP/1.1', conversation);
    return near;
  }

  /** What comes back until the stream ends or an answer is whole. */
  async function say(text: string): Promise<string> {
    const stream = open();
    stream.write(text);
    let answer = '';
    for await (const chunk of stream) {
      answer += String(chunk);
      if (answer.endsWith('ok') || answer.endsWith('0\r\n\r\n')) break;
    }
    stream.destroy();
    return answer;
  }

  const accepted: readonly (readonly [what: string, text: string, request: string])[] = [
    ['a body without content type', 'POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc', 'POST /a'],
    ['a content type that is none', 'POST /a HTTP/1.1\r\nhost: h\r\ncontent-type: ?\r\ncontent-length: 3\r\n\r\nabc', 'POST /a'],
    [
      'JSON that is none',
      'POST /a HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{',
      'POST /a',
    ],
    ['a GET with a body', 'GET /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc', 'GET /a'],
    ['a method few know', 'PROPFIND /a HTTP/1.1\r\nhost: h\r\n\r\n', 'PROPFIND /a'],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n', 'OPTIONS *'],
    ['escapes that are none', 'GET /%zz HTTP/1.1\r\nhost: h\r\n\r\n', 'GET /%zz'],
    ['dot segments', 'GET /a/../b HTTP/1.1\r\nhost: h\r\n\r\n', 'GET /a/../b'],
    ['the absolute form', 'GET http://evil/p HTTP/1.1\r\nhost: h\r\n\r\n', 'GET http://evil/p'],
    ['a slash and nothing', 'GET // HTTP/1.1\r\nhost: h\r\n\r\n', 'GET //'],
  ];
  for (const [what, text, request] of accepted) {
    it(`hands on ${what} unread`, async () => {
      expect(await say(text)).to.match(/^HTTP\/1\.1 200/);
      expect(seen).to.deep.equal([request]);
    });
  }

  const smuggled: readonly (readonly [what: string, text: string])[] = [
    [
      'length and chunked together',
      'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths that differ', 'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc'],
    ['two lengths that agree', 'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc'],
    ['a length that is none', 'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3x\r\n\r\nabc'],
    ['a negative length', 'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n'],
    ['a coding that is none', 'POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['chunked not last', 'POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
    ['a chunk size that is none', 'POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n'],
    ['bare line feeds', 'GET / HTTP/1.1\nhost: h\n\n'],
    ['a bare carriage return', 'GET / HTTP/1.1\r\nx: a\rb\r\nhost: h\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nhost: h\r\nx: a\r\n b\r\n\r\n'],
    ['space before the colon', 'GET / HTTP/1.1\r\nhost : h\r\n\r\n'],
    ['a name with a space', 'GET / HTTP/1.1\r\nhost: h\r\nx y: 1\r\n\r\n'],
    ['a NUL in a value', 'GET / HTTP/1.1\r\nhost: h\r\nx: a\0b\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ];
  for (const [what, text] of smuggled) {
    it(`answers 400 to ${what}, and nothing of it goes on`, async () => {
      expect(await say(text)).to.match(/^HTTP\/1\.1 400/);
      expect(seen.filter((request) => !request.startsWith('POST /'))).to.deep.equal([]);
    });
  }

  it('answers 431 to a head that is too large', async () => {
    expect(await say(`GET / HTTP/1.1\r\nhost: h\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`)).to.match(/^HTTP\/1\.1 431/);
    expect(refused.join()).to.include('HPE_HEADER_OVERFLOW');
  });

  it('gives up on a head that trickles', async () => {
    expect(await say('GET / HTTP/1.1\r\nho')).to.match(/^HTTP\/1\.1 400/);
  });

  it('lets a connection rest between requests longer than a head may take', async () => {
    const stream = open();
    stream.write('GET /1 HTTP/1.1\r\nhost: h\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 900));
    stream.write('GET /2 HTTP/1.1\r\nhost: h\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).to.deep.equal(['GET /1', 'GET /2']);
    stream.destroy();
  });

  it('hands an upgrade on with its stream', async () => {
    const stream = open();
    stream.write('GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhead');
    let answer = '';
    for await (const chunk of stream) answer += String(chunk);
    expect(answer).to.equal('HTTP/1.1 101 Switching Protocols\r\n\r\n4');
  });

  it('serves HTTP/2 with prior knowledge, and knows whose each session is', async () => {
    const [near, far] = duplexPair();
    front.adopt(far, 'HTTP/2', conversation);
    const session = http2.connect('http://x', { createConnection: () => near });
    const request = session.request({ ':method': 'POST', ':path': '/bank.Ledger/Book' });
    const [headers] = await new Promise<[http2.IncomingHttpHeaders]>((resolve) => {
      request.once('response', (found) => resolve([found]));
      request.end('abc');
    });
    expect(headers).to.include({ ':status': 200, 'x-bytes': '3' });
    expect(seen).to.deep.equal(['POST /bank.Ledger/Book']);
    session.destroy();
  });

  it('survives HTTP/2 that is none', async () => {
    const [near, far] = duplexPair();
    front.adopt(far, 'HTTP/2', conversation);
    near.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(64)}`, 'latin1');
    near.resume();
    await new Promise((resolve) => far.once('close', resolve));
    expect(seen).to.deep.equal([]);
  });
});
