import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { failureAnswer, writeAnswer, writeLocal } from '../../src/accept/answer-writer.ts';
import type { ForwardedAnswer, WriteEnd } from '../../src/accept/answer-writer.ts';
import type { RawResponse } from '../../src/accept/http-front.ts';
import { failureTable } from '../../src/exchange/failure.ts';
import type { FailureKind } from '../../src/exchange/failure.ts';

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly trailers: unknown;
};

describe('writeAnswer', () => {
  let stack: AsyncDisposableStack;
  let respond: (response: RawResponse) => void;
  let ask1: () => Promise<http.IncomingMessage>;
  let session: http2.ClientHttp2Session;

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    const server1 = http.createServer((_request, response) => respond(response)).listen(0, '127.0.0.1');
    const server2 = http2.createServer((_request, response) => respond(response)).listen(0, '127.0.0.1');
    await Promise.all([once(server1, 'listening'), once(server2, 'listening')]);
    const agent = new http.Agent();
    ask1 = async () => {
      const request = http.get({ port: (server1.address() as AddressInfo).port, host: '127.0.0.1', agent });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      return response;
    };
    session = http2.connect(`http://127.0.0.1:${(server2.address() as AddressInfo).port}`);
    session.on('error', () => {});
    stack.defer(() => {
      session.destroy();
      agent.destroy();
      server1.closeAllConnections();
      server1.close();
      server2.close();
    });
  });

  afterEach(() => stack.disposeAsync());

  const ways: Readonly<Record<string, () => Promise<Answer>>> = {
    'HTTP/1.1': async () => {
      const response = await ask1();
      const body = String(await buffer(response));
      return { status: response.statusCode ?? 0, headers: response.headers, body, trailers: response.trailers };
    },
    'HTTP/2': async () => {
      const stream = session.request({ ':path': '/' });
      let trailers: unknown = {};
      stream.on('trailers', (found: Record<string, unknown>) => (trailers = { ...found }));
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      return { status: Number(headers[':status'] ?? 0), headers, body: String(await buffer(stream)), trailers };
    },
  };

  function answer(body: Readable, changes: Partial<ForwardedAnswer> = {}): ForwardedAnswer {
    return { status: 200, headers: {}, body, trailers: () => ({}), ...changes };
  }

  for (const [protocol, ask] of Object.entries(ways)) {
    describe(`over ${protocol}`, () => {
      it('streams head, body and trailers, and counts bytes', async () => {
        let bytes = 0;
        const { promise, resolve } = Promise.withResolvers<WriteEnd>();
        respond = (response) => {
          const whole = answer(Readable.from([Buffer.from('ab'), Buffer.from('c')]), {
            status: 201,
            headers: { 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] },
            trailers: () => ({ 'grpc-status': '0' }),
          });
          void writeAnswer(response, whole, (count) => (bytes += count)).then(resolve);
        };
        const got = await ask();
        expect(got).to.include({ status: 201, body: 'abc' });
        expect(got.headers).to.deep.include({ 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] });
        expect(got.trailers).to.include({ 'grpc-status': '0' });
        expect(await promise).to.deep.equal({ kind: 'complete' });
        expect(bytes).to.equal(3);
      });

      it('breaks off when the body breaks, so that nobody takes a part for the whole', async () => {
        const { promise, resolve } = Promise.withResolvers<WriteEnd>();
        respond = (response) => {
          const body = new PassThrough();
          body.write('part');
          void writeAnswer(response, answer(body), () => {}).then(resolve);
          setTimeout(() => body.destroy(new Error('the endpoint is gone')), 30);
        };
        const error = await ask().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error).to.be.instanceOf(Error);
        expect(await promise).to.have.property('kind', 'broken');
      });

      it('answers a local answer with its length', async () => {
        respond = (response) => writeLocal(response, { status: 403, headers: { 'x-mesh-denied': 'opa-denied' }, body: 'no' });
        const got = await ask();
        expect(got).to.include({ status: 403, body: 'no' });
        expect(got.headers).to.include({ 'content-length': '2' });
      });
    });
  }

  it('stops reading the endpoint while the caller does not read', async () => {
    let taken = 0;
    respond = (response) => {
      const body = new Readable({
        read() {
          taken += 65_536;
          this.push(Buffer.alloc(65_536));
        },
      });
      void writeAnswer(response, answer(body), () => {});
    };
    const response = await ask1();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = taken;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(taken).to.equal(before);
    response.destroy();
  });

  it('lets the endpoint go when the caller is gone', async () => {
    const body = new PassThrough();
    const { promise, resolve } = Promise.withResolvers<WriteEnd>();
    respond = (response) => {
      body.write('x');
      void writeAnswer(response, answer(body), () => {}).then(resolve);
    };
    const response = await ask1();
    response.destroy();
    expect(await promise).to.deep.equal({ kind: 'caller-gone' });
    expect(body.destroyed).to.equal(true);
  });
});

describe('failureAnswer', () => {
  const facts = { id: 'request-1', outcome: 'not-dispatched' };
  for (const kind of Object.keys(failureTable) as FailureKind[]) {
    it(`says ${kind} to HTTP and to gRPC`, () => {
      const plain = failureAnswer({ kind, detail: 'why' }, { ...facts, grpc: false });
      expect(plain.status).to.equal(failureTable[kind].status);
      expect(plain.headers).to.include({ 'x-mesh-denied': kind, 'x-mesh-outcome': 'not-dispatched' });
      expect(JSON.parse(String(plain.body))).to.include({
        title: failureTable[kind].title,
        detail: 'why',
        requestId: 'request-1',
      });
      const grpc = failureAnswer({ kind, detail: 'why' }, { ...facts, grpc: true });
      expect(grpc).to.deep.include({ status: 200, body: '' });
      expect(grpc.headers).to.include({
        'grpc-status': String(failureTable[kind].grpcStatus),
        'content-type': 'application/grpc',
      });
    });
  }

  it('uses status, headers and body that a policy gives', () => {
    const failure = { kind: 'opa-denied', detail: 'why', status: 402, headers: { 'x-limit': '5' }, body: 'pay first' } as const;
    expect(failureAnswer(failure, { ...facts, grpc: false })).to.deep.include({ status: 402, body: 'pay first' });
  });

  it('escapes what a gRPC message may not hold', () => {
    const { headers } = failureAnswer({ kind: 'opa-denied', detail: 'über\r\nlimit 100%' }, { ...facts, grpc: true });
    expect(headers['grpc-message']).to.equal('denied by OPA%3A %C3%BCber%0D%0Alimit 100%25');
  });
});
