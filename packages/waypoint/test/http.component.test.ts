import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { ask, ask2, say } from './http-client.ts';
import { until } from './eventually.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { scriptServer, streamServer } from './script-server.ts';
import { WaypointBed } from './waypoint-bed.ts';

const run = promisify(execFile);

describe('HTTP through a waypoint', () => {
  let bed: WaypointBed;
  let port: number;

  /** One endpoint of the ledger, and a door to it. */
  async function serve(app: http.RequestListener): Promise<void> {
    await bed.addEndpoint('ledger-0', http.createServer(app));
    bed.push(...ledgerConfiguration());
    port = await bed.door();
  }

  async function answering(text: string): Promise<void> {
    await bed.addEndpoint('ledger-0', scriptServer((socket) => socket.write(text, 'latin1')).server);
    bed.push(...ledgerConfiguration());
    port = await bed.door();
  }

  beforeEach(async () => {
    bed = await WaypointBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  const echo: http.RequestListener = (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += String(chunk)));
    request.on('end', () =>
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body })),
    );
  };

  it('carries a chunked upload', async () => {
    await serve(echo);
    const { status, body } = await ask(port, {
      method: 'PUT',
      path: '/u',
      body: Readable.from(['a', 'b', 'c'].map((part) => Buffer.from(part))),
    });
    expect(status).to.equal(200);
    expect(JSON.parse(body)).to.include({ method: 'PUT', body: 'abc' });
    expect(JSON.parse(body).headers).to.include({ 'transfer-encoding': 'chunked' });
  });

  it('carries a chunked answer with its trailers', async () => {
    await serve((_request, response) => {
      response.setHeader('trailer', 'x-digest');
      response.write('a');
      response.addTrailers({ 'x-digest': 'd' });
      response.end('b');
    });
    expect(await ask(port)).to.deep.include({ status: 200, body: 'ab', trailers: { 'x-digest': 'd' } });
    const { trailers, body } = await ask2(port);
    expect(trailers).to.include({ 'x-digest': 'd' });
    expect(body).to.equal('ab');
  });

  it('carries an answer that announces trailers it cannot have', async () => {
    await answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntrailer: x-digest\r\n\r\nab');
    expect(await ask(port)).to.include({ status: 200, body: 'ab' });
    expect(await ask2(port)).to.include({ status: 200, body: 'ab' });
  });

  it('carries server-sent events, each as it comes', async () => {
    let next: () => void = () => {};
    await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 0\n\n');
      let count = 1;
      next = () => response.write(`data: ${count++}\n\n`);
    });
    const request = http.get({ port, host: '127.0.0.1', agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    for (let count = 0; count < 3; count += 1) {
      expect(String((await once(response, 'data'))[0])).to.equal(`data: ${count}\n\n`);
      next();
    }
    request.destroy();
    await until(() => bed.log.length === 1);
    expect(bed.log[0]).to.include({ status: 200, flags: 'DC' });
  });

  const bodiless: readonly (readonly [what: string, method: string, status: number, headers: http.OutgoingHttpHeaders])[] = [
    ['HEAD with a length', 'HEAD', 200, { 'content-length': 7 }],
    ['HEAD without a length', 'HEAD', 200, {}],
    ['204', 'GET', 204, {}],
    ['304 with a tag', 'GET', 304, { etag: '"1"' }],
    ['304 with a length', 'GET', 304, { 'content-length': 7 }],
    ['205', 'POST', 205, {}],
  ];
  for (const [what, method, status, headers] of bodiless) {
    it(`carries ${what}, and the connection stays usable`, async () => {
      await serve((_request, response) => response.writeHead(status, headers).end());
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let round = 0; round < 3; round += 1) {
        const reply = await ask(port, { method, agent });
        expect(reply).to.include({ status, body: '' });
        if (headers['content-length'] !== undefined) expect(reply.headers).to.include({ 'content-length': '7' });
      }
      agent.destroy();
      expect(await ask2(port, { ':method': method })).to.include({ status, body: '' });
    });
  }

  it('carries OPTIONS of the server as a whole as one of its root', async () => {
    await serve(echo);
    const heard = await say(port, 'OPTIONS * HTTP/1.1\r\nhost: ledger\r\nconnection: close\r\n\r\n');
    expect(heard).to.match(/^HTTP\/1\.1 200 /);
    expect(heard).to.include('"method":"OPTIONS","url":"/"');
  });

  it('answers Expect: 100-continue before the body comes', async () => {
    await serve(echo);
    const request = http.request({ port, method: 'POST', headers: { expect: '100-continue' }, agent: false });
    await once(request, 'continue');
    request.end('abc');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    expect(JSON.parse(text)).to.include({ body: 'abc' });
  });

  it('carries any method, length and query', async () => {
    await serve(echo);
    for (const method of ['GET', 'DELETE', 'PATCH', 'PROPFIND', 'QUERY', 'PURGE']) {
      const { body } = await ask(port, { method, path: '/a%20b?c=%2F&d=+', body: 'x', headers: { 'content-length': 1 } });
      expect(JSON.parse(body)).to.include({ method, url: '/a%20b?c=%2F&d=+', body: 'x' });
    }
  });

  it('carries HTTP/2 callers to a service of HTTP/1.1', async () => {
    await serve(echo);
    const { status, body } = await ask2(
      port,
      { ':method': 'POST', ':path': '/a?b', cookie: ['a=1', 'b=2'] as never, 'x-one': '1' },
      'abc',
    );
    expect(status).to.equal(200);
    const seen = JSON.parse(body);
    expect(seen).to.include({ method: 'POST', url: '/a?b', body: 'abc' });
    expect(seen.headers).to.include({ cookie: 'a=1; b=2', 'x-one': '1', host: `127.0.0.1:${port}` });
  });

  it('carries HTTP/1.1 callers to a service of HTTP/2', async () => {
    const app = streamServer((stream, headers) => {
      stream.respond(
        { ':status': 201, 'x-authority': headers[':authority'], 'x-te': headers['te'] ?? 'none' },
        { waitForTrailers: true },
      );
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': '1' }));
      stream.pipe(stream);
    });
    await bed.addEndpoint('ledger-0', app.server);
    bed.push(...ledgerConfiguration({ protocol: 'HTTP2' }));
    port = await bed.door();
    const reply = await ask(port, {
      method: 'POST',
      body: 'abc',
      headers: { host: 'ledger', te: 'trailers', connection: 'keep-alive, x-a', 'x-a': '1' },
    });
    expect(reply).to.deep.include({ status: 201, body: 'abc', trailers: { 'x-end': '1' } });
    expect(reply.headers).to.include({ 'x-authority': 'ledger' });
  });

  it('keeps values that are not ASCII, both ways', async () => {
    await answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-name: \xe9t\xe9 \xc5\xbe\r\n\r\nab');
    const heard = await say(port, 'GET / HTTP/1.1\r\nhost: h\r\nx-name: \xc5\xbe\r\nconnection: close\r\n\r\n');
    expect(heard).to.include('x-name: \xe9t\xe9 \xc5\xbe');
    expect(heard).to.match(/^HTTP\/1\.1 200 /);
    expect((await ask2(port)).status).to.equal(200);
  });

  it('carries fields that stand twice to callers of either protocol', async () => {
    await answering(
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: a/b\r\ncontent-type: c/d\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\nab',
    );
    expect((await ask(port)).headers).to.deep.include({ 'set-cookie': ['a=1', 'b=2'] });
    expect((await ask2(port)).headers).to.deep.include({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] });
  });

  it('lets curl speak either protocol, upload and resume', async () => {
    await serve(echo);
    for (const version of ['--http1.1', '--http2-prior-knowledge', '--http2']) {
      const { stdout } = await run('curl', ['-sS', version, '-d', 'abc', `http://127.0.0.1:${port}/a`]);
      expect(JSON.parse(stdout), version).to.include({ method: 'POST', body: 'abc' });
    }
    const upload = run('curl', ['-sS', '-T', '-', `http://127.0.0.1:${port}/up`]);
    upload.child.stdin?.end('u'.repeat(100_000));
    expect(JSON.parse((await upload).stdout)).to.include({ method: 'PUT', body: 'u'.repeat(100_000) });
  });
});
