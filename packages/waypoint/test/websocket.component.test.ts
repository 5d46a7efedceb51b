import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from './eventually.ts';
import { ask, say } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { earlyServer } from './script-server.ts';
import { analytics, WaypointBed } from './waypoint-bed.ts';

describe('WebSocket through a waypoint', () => {
  let bed: WaypointBed;
  let port: number;
  let server: http.Server;
  let sockets: WebSocketServer;

  beforeEach(async () => {
    bed = await WaypointBed.open();
    server = http.createServer((_request, response) => response.end('plain'));
    sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has('v2.bank') ? 'v2.bank' : false) });
    server.on('upgrade', (request: http.IncomingMessage, stream: Duplex, head: Buffer) => {
      if (request.url === '/refused')
        return void stream.end('HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 4\r\n\r\nnope');
      sockets.handleUpgrade(request, stream, head, (socket) => {
        socket.on('message', (data, binary) =>
          (data as Buffer).equals(Buffer.from('bye')) ? socket.close(4_001, 'as asked') : socket.send(data, { binary }),
        );
      });
    });
    await bed.addEndpoint('ledger-0', server);
    bed.push(...ledgerConfiguration());
    port = await bed.door();
  });

  afterEach(async () => {
    for (const client of sockets.clients) client.terminate();
    await bed[Symbol.asyncDispose]();
  });

  async function open(path = '/', protocols: string[] = []): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
    await once(socket, 'open');
    return socket;
  }

  it('echoes text and binary, and answers pings', async () => {
    const socket = await open();
    socket.send('text');
    expect(String((await once(socket, 'message'))[0])).to.equal('text');
    const blob = Buffer.alloc(300_000, 7);
    socket.send(blob);
    const [data, binary] = await once(socket, 'message');
    expect(binary).to.equal(true);
    expect(blob.equals(data)).to.equal(true);
    socket.ping('are you there');
    expect(String((await once(socket, 'pong'))[0])).to.equal('are you there');
    socket.close();
    await once(socket, 'close');
  });

  it('lets the service choose among several subprotocols', async () => {
    const socket = await open('/', ['v1.bank', 'v2.bank', 'v3.bank']);
    expect(socket.protocol).to.equal('v2.bank');
    socket.close();
    await once(socket, 'close');
  });

  it('carries the service’s close code, and reports one line with the bytes of both ways', async () => {
    const socket = await open();
    socket.send('bye');
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).to.deep.equal([4_001, 'as asked']);
    await until(() => bed.log.length === 1);
    expect(bed.log[0]).to.include({ status: 101, flags: '-', outcome: 'completed', attempts: 1, upstream: 'ledger-0' });
    expect(bed.log[0]?.['bytes_in']).to.be.greaterThan(0);
    expect(bed.log[0]?.['bytes_out']).to.be.greaterThan(0);
  });

  it('carries the caller’s close code', async () => {
    const closed = new Promise((resolve) => sockets.once('connection', resolve));
    sockets.on('connection', () => {});
    const socket = await open();
    const [served] = [...sockets.clients];
    const heard = served === undefined ? closed : once(served, 'close');
    socket.close(4_002, 'mine');
    expect(((await heard) as [number])[0]).to.equal(4_002);
  });

  it('forwards the service’s refusal as it is', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/refused`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, http.IncomingMessage];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    expect(body).to.equal('nope');
    expect(response.statusCode).to.equal(401);
    expect(response.headers).to.include({ 'www-authenticate': 'Bearer' });
    const line = await bed.line(String(response.headers['x-request-id']));
    expect(line).to.include({ status: 401, flags: '-', outcome: 'completed' });
  });

  it('names the request in the answer that switches', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const [[response]] = (await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])) as [
      [http.IncomingMessage],
      unknown,
    ];
    socket.close();
    await once(socket, 'close');
    const line = await bed.line(String(response.headers['x-request-id']));
    expect(line).to.include({ status: 101, route: '/*' });
  });

  it('denies by policy before anything is switched', async () => {
    const key = 'AuthorizationPolicy ledger/only-payments';
    const rules = [{ from: [{ principals: ['cluster.local/ns/payments/sa/payments'] }] }];
    bed.push(...ledgerConfiguration({ authorization: [{ key, namespace: 'ledger', action: 'ALLOW', dryRun: false, rules }] }));
    const socket = new WebSocket(`ws://127.0.0.1:${await bed.door(analytics)}/`);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, http.IncomingMessage];
    response.resume();
    expect(response.statusCode).to.equal(403);
    expect(response.headers).to.include({ 'x-mesh-denied': 'policy-denied', 'x-mesh-outcome': 'not-dispatched' });
    expect(bed.asked).to.deep.equal([]);
  });

  it('has its own bound of streams', async () => {
    bed.push(...ledgerConfiguration({ resilience: { limits: { maxUpgraded: 1 } } }));
    const socket = await open();
    const second = new WebSocket(`ws://127.0.0.1:${port}/`);
    const [, response] = (await once(second, 'unexpected-response')) as [unknown, http.IncomingMessage];
    response.resume();
    expect(response.statusCode).to.equal(503);
    expect(response.headers).to.include({ 'x-mesh-denied': 'overflow' });
    expect((await ask(port)).body).to.equal('plain');
    socket.close();
    await once(socket, 'close');
  });

  it('serves a request with a body that asks for HTTP/2 as it is', async () => {
    server.close();
    await bed[Symbol.asyncDispose]();
    bed = await WaypointBed.open();
    const app = earlyServer((to, head) =>
      setTimeout(() => to.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${head.toLowerCase().includes('upgrade')}`), 50),
    );
    await bed.addEndpoint('ledger-0', app.server);
    bed.push(...ledgerConfiguration());
    const request =
      'POST /a HTTP/1.1\r\nhost: h\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ncontent-length: 3\r\n\r\nabc';
    expect(await say(await bed.door(), request, /true|false/)).to.match(/^HTTP\/1\.1 200 [^]*false/);
    expect(app.requests[0]).to.match(/^POST/);
  });
});
