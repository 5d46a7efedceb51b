import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { streamOf } from '../../src/exchange/answer-body.ts';
import type { WireUpstream } from '../../src/forward/wire-upstream.ts';
import type { UpstreamEndpoint } from '../../src/forward/upstream.ts';
import { WireBed, caller, kindOf, request } from './wire-bed.ts';

const other = 'spiffe://cluster.local/ns/batch/sa/batch' as SpiffeId;
describe('WireUpstream', () => {
  let upstream: WireUpstream;
  let bed: WireBed;
  const live = new AbortController().signal;

  beforeEach(() => {
    bed = new WireBed();
    ({ upstream } = bed);
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  /** A server that answers each connection's first bytes with `bytes`, then ends or resets it. */
  function scripted(bytes: string, then: 'end' | 'reset' | 'stay' = 'end'): Promise<UpstreamEndpoint> {
    return bed.listening(
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          if (bytes !== '') socket.write(bytes);
          if (then === 'end') socket.end();
          else if (then === 'reset') setTimeout(() => socket.resetAndDestroy(), 20);
        });
      }),
      'HTTP/1.1',
    );
  }

  describe('HTTP/1.1', () => {
    it('carries head, body, answer and trailers', async () => {
      const endpoint = await bed.listening(
        http.createServer((incoming, response) => {
          incoming.resume().on('end', () => {
            response.writeHead(201, { trailer: 'x-sum', 'x-path': incoming.url, 'x-host': incoming.headers.host });
            response.write('booked');
            response.addTrailers({ 'x-sum': '3' });
            response.end();
          });
        }),
        'HTTP/1.1',
      );
      const outcome = await upstream.send(endpoint, request({ method: 'POST', path: '/a?b=c' }), Readable.from(['abc']), live);
      expect(outcome.kind).to.equal('answer');
      if (outcome.kind !== 'answer') return;
      const { answer } = outcome;
      expect(answer).to.deep.include({ status: 201 });
      expect(answer.headers).to.include({ 'x-path': '/a?b=c', 'x-host': 'ledger:8080' });
      expect(String(await buffer(streamOf(answer.body)))).to.equal('booked');
      expect(answer.trailers()).to.deep.equal({ 'x-sum': '3' });
    });

    it('uses a connection again for the same caller, and never for another one', async () => {
      const ports: number[] = [];
      const endpoint = await bed.listening(
        http.createServer((incoming, response) => {
          ports.push(incoming.socket.remotePort ?? 0);
          response.end('ok');
        }),
        'HTTP/1.1',
      );
      for (const who of [caller, caller, other, caller]) {
        const outcome = await upstream.send(endpoint, request({ caller: who }), undefined, live);
        if (outcome.kind === 'answer') await buffer(streamOf(outcome.answer.body));
        // The connection is free a turn of the loop after the answer's end.
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(new Set([ports[0], ports[1], ports[3]]).size).to.equal(1);
      expect(ports[2]).to.not.equal(ports[0]);
    });

    const failures: readonly (readonly [what: string, bytes: string, then: 'end' | 'reset', kind: string])[] = [
      ['an end without an answer', '', 'end', 'reset'],
      ['a reset without an answer', '', 'reset', 'reset'],
      ['an answer that is no HTTP', 'SSH-2.0\r\n\r\n', 'end', 'bad-answer'],
      ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 'end', 'bad-answer'],
      ['half a head', 'HTTP/1.1 200 OK\r\nx:', 'end', 'reset'],
    ];
    for (const [what, bytes, then, kind] of failures) {
      it(`takes ${what} for ${kind}`, async () => {
        expect(kindOf(await upstream.send(await scripted(bytes, then), request(), undefined, live))).to.equal(kind);
      });
    }

    it('takes nobody listening for a connect failure', async () => {
      const endpoint = await scripted('');
      const gone = { ...endpoint, id: 'gone/1', address: { ...endpoint.address, port: 1 } };
      expect(kindOf(await upstream.send(gone, request(), undefined, live))).to.equal('connect-failure');
    });

    for (const then of ['end', 'reset'] as const) {
      it(`breaks the body when the answer breaks off by ${then}`, async () => {
        const endpoint = await scripted('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', then);
        const outcome = await upstream.send(endpoint, request(), undefined, live);
        if (outcome.kind !== 'answer') throw new Error(kindOf(outcome));
        const error = await buffer(streamOf(outcome.answer.body)).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).to.have.nested.property('failure.kind', 'reset-in-answer');
      });
    }

    it('stops at once when it is aborted before an answer', async () => {
      const stop = new AbortController();
      const sent = upstream.send(await scripted('', 'stay'), request(), undefined, stop.signal);
      setTimeout(() => stop.abort(new Error('too late')), 30);
      expect(kindOf(await sent)).to.equal('reset');
    });

    it('changes the protocol where both sides want to', async () => {
      const server = http.createServer();
      server.on('upgrade', (_incoming, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-a: 1\r\n\r\n');
        socket.pipe(socket);
      });
      const outcome = await upstream.upgrade(await bed.listening(server, 'HTTP/1.1'), request(), 'echo', live);
      if (outcome.kind !== 'upgraded') throw new Error('not upgraded');
      expect(outcome.headers).to.include({ 'x-a': '1' });
      outcome.stream.write('ping');
      expect(String((await once(outcome.stream, 'data'))[0])).to.equal('ping');
      outcome.stream.destroy();
    });

    it('gives the answer of a server that does not upgrade', async () => {
      const endpoint = await bed.listening(
        http.createServer((_incoming, response) => response.writeHead(426).end('no')),
        'HTTP/1.1',
      );
      const outcome = await upstream.upgrade(endpoint, request(), 'echo', live);
      expect(outcome.kind === 'upgraded' ? 'upgraded' : kindOf(outcome)).to.equal('answer 426');
    });
  });

  describe('HTTP/2', () => {
    function server(
      onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
    ): Promise<UpstreamEndpoint> {
      const h2 = http2.createServer();
      h2.on('sessionError', () => {});
      h2.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
        stream.on('error', () => {});
        onStream(stream, headers);
      });
      return bed.listening(h2, 'HTTP/2');
    }

    it('carries trailers, and a trailers-only answer', async () => {
      const endpoint = await server((stream, headers) => {
        if (headers[':path'] === '/only') return stream.respond({ ':status': 200, 'grpc-status': '7' }, { endStream: true });
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.resume().on('end', () => stream.end('answer'));
      });
      const outcome = await upstream.send(endpoint, request({ method: 'POST', path: '/x' }), Buffer.from('abc'), live);
      if (outcome.kind !== 'answer') throw new Error(kindOf(outcome));
      expect(String(await buffer(streamOf(outcome.answer.body)))).to.equal('answer');
      expect(outcome.answer.trailers()).to.include({ 'grpc-status': '0' });
      const only = await upstream.send(endpoint, request({ path: '/only' }), undefined, live);
      if (only.kind !== 'answer') throw new Error(kindOf(only));
      expect(only.answer.headers).to.include({ 'grpc-status': '7' });
      expect((await buffer(streamOf(only.answer.body))).length).to.equal(0);
    });

    const resets: readonly (readonly [code: number, kind: string])[] = [
      [http2.constants.NGHTTP2_REFUSED_STREAM, 'refused-stream'],
      [http2.constants.NGHTTP2_INTERNAL_ERROR, 'reset'],
      [http2.constants.NGHTTP2_CANCEL, 'reset'],
    ];
    for (const [code, kind] of resets) {
      it(`takes RST_STREAM ${code} for ${kind}`, async () => {
        const endpoint = await server((stream) => stream.close(code));
        expect(kindOf(await upstream.send(endpoint, request(), undefined, live))).to.equal(kind);
      });
    }

    it('shares one connection between requests of one caller', async () => {
      const sessions = new Set<unknown>();
      const endpoint = await server((stream) => {
        sessions.add(stream.session);
        setTimeout(() => stream.respond({ ':status': 200 }, { endStream: true }), 20);
      });
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => upstream.send(endpoint, request(), undefined, live)));
      expect(outcomes.map(kindOf).every((kind) => kind === 'answer 200')).to.equal(true);
      expect(sessions.size).to.equal(1);
    });

    it('opens another connection where the peer allows no more streams', async () => {
      const h2 = http2.createServer({ settings: { maxConcurrentStreams: 2 } });
      const sessions = new Set<unknown>();
      h2.on('stream', (stream: http2.ServerHttp2Stream) => {
        sessions.add(stream.session);
        setTimeout(() => stream.respond({ ':status': 200 }, { endStream: true }), 100);
      });
      const endpoint = await bed.listening(h2, 'HTTP/2');
      expect(kindOf(await upstream.send(endpoint, request(), undefined, live))).to.equal('answer 200');
      const outcomes = await Promise.all(Array.from({ length: 4 }, () => upstream.send(endpoint, request(), undefined, live)));
      expect(outcomes.map(kindOf)).to.deep.equal(Array.from({ length: 4 }, () => 'answer 200'));
      expect(sessions.size).to.be.greaterThan(1);
    });

    it('goes to a new connection after GOAWAY', async () => {
      const sessions = new Set<unknown>();
      const endpoint = await server((stream) => {
        sessions.add(stream.session);
        stream.respond({ ':status': 200 }, { endStream: true });
        stream.session?.goaway();
      });
      for (let round = 0; round < 3; round += 1) {
        expect(kindOf(await upstream.send(endpoint, request(), undefined, live))).to.equal('answer 200');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(sessions.size).to.equal(3);
    });

    it('tells the endpoint when it is aborted', async () => {
      const { promise: reset, resolve } = Promise.withResolvers<number>();
      const endpoint = await server((stream) => stream.on('close', () => resolve(stream.rstCode ?? -1)));
      const stop = new AbortController();
      const sent = upstream.send(endpoint, request(), undefined, stop.signal);
      setTimeout(() => stop.abort(), 50);
      expect(kindOf(await sent)).to.equal('reset');
      expect(await reset).to.equal(http2.constants.NGHTTP2_CANCEL);
    });
  });

  it('keeps nothing open that is idle', async () => {
    const endpoint = await bed.listening(
      http.createServer((_incoming, response) => response.end('ok')),
      'HTTP/1.1',
    );
    const outcome = await upstream.send(endpoint, request(), undefined, live);
    if (outcome.kind === 'answer') await buffer(streamOf(outcome.answer.body));
    expect(upstream.size).to.equal(1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(upstream.size).to.equal(0);
  });

  it('ends what is open to an endpoint that is gone', async () => {
    const endpoint = await scripted('', 'stay');
    const sent = upstream.send(endpoint, request(), undefined, live);
    await new Promise((resolve) => setTimeout(resolve, 50));
    upstream.forget((id) => id === endpoint.id);
    expect(kindOf(await sent)).to.equal('reset');
    expect(upstream.size).to.equal(0);
  });
});
