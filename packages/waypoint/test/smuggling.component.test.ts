import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import http2 from 'node:http2';
import { ask, say } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { scriptServer } from './script-server.ts';
import type { ScriptServer } from './script-server.ts';
import { WaypointBed } from './waypoint-bed.ts';

describe('requests that two servers may read differently', () => {
  let bed: WaypointBed;
  let app: ScriptServer;
  let port: number;

  beforeEach(async () => {
    bed = await WaypointBed.open();
    app = scriptServer((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
    await bed.addEndpoint('ledger-0', app.server);
    const key = 'AuthorizationPolicy ledger/no-admin';
    bed.push(
      ...ledgerConfiguration({
        authorization: [{ key, namespace: 'ledger', action: 'DENY', dryRun: false, rules: [{ to: [{ paths: ['/admin*'] }] }] }],
      }),
    );
    port = await bed.door();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  const head = 'POST /a HTTP/1.1\r\nhost: h\r\n';
  const smuggled = 'GET /admin HTTP/1.1\r\nhost: h\r\n\r\n';
  const refused: readonly (readonly [what: string, bytes: string, status: RegExp])[] = [
    [
      'length and coding',
      `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      /^HTTP\/1\.1 400/,
    ],
    [
      'coding and length',
      `${head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
      /^HTTP\/1\.1 400/,
    ],
    ['two lengths', `${head}content-length: 0\r\ncontent-length: 5\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400/],
    ['a list of lengths', `${head}content-length: 0, 5\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400/],
    ['a length with a sign', `${head}content-length: +5\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400/],
    [
      'a coding with a tab before the colon',
      `${head}transfer-encoding\t: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      /^HTTP\/1\.1 400/,
    ],
    ['a coding nobody knows', `${head}transfer-encoding: x, chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 (200|400|501)/],
    ['chunked twice', `${head}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n${smuggled}`, /^HTTP\/1\.1 (200|400)/],
    ['a bare line feed in a chunk', `${head}transfer-encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n`, /^HTTP\/1\.1 400/],
    [
      'a chunk extension with a line feed',
      `${head}transfer-encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400/,
    ],
    ['a folded field', `${head}x: a\r\n b: c\r\n\r\n`, /^HTTP\/1\.1 400/],
    ['no version', 'GET /a\r\n\r\n', /^HTTP\/1\.1 400/],
    ['two hosts', 'GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n', /^HTTP\/1\.1 400/],
    ['a head that is too large', `GET /a HTTP/1.1\r\nhost: h\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431/],
    ['a path that climbs', 'GET /a/../admin HTTP/1.1\r\nhost: h\r\n\r\n', /^HTTP\/1\.1 400/],
    ['a path that climbs in disguise', 'GET /a/%2e%2e/admin HTTP/1.1\r\nhost: h\r\n\r\n', /^HTTP\/1\.1 400/],
    ['two slashes', 'GET //admin HTTP/1.1\r\nhost: h\r\n\r\n', /^HTTP\/1\.1 400/],
    ['an escaped letter', 'GET /%61dmin HTTP/1.1\r\nhost: h\r\n\r\n', /^HTTP\/1\.1 403/],
    ['the absolute form', 'GET http://h/admin HTTP/1.1\r\nhost: h\r\n\r\n', /^HTTP\/1\.1 403/],
    ['a tunnel inside', 'CONNECT ledger:80 HTTP/1.1\r\nhost: h\r\n\r\n', /^$|^HTTP\/1\.1 40/],
  ];
  for (const [what, bytes, status] of refused) {
    it(`do not reach the service: ${what}`, async () => {
      expect(await say(port, bytes, /\r\n\r\n/)).to.match(status);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(app.requests.filter((request) => /admin/.test(request))).to.deep.equal([]);
      expect((await ask(port)).status).to.equal(200);
    });
  }

  it('keep a body a body, however it is framed', async () => {
    for (const framed of [
      `content-length: ${smuggled.length}\r\n\r\n${smuggled}`,
      `transfer-encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    ]) {
      expect(await say(port, `${head}connection: close\r\n${framed}`)).to.match(/^HTTP\/1\.1 200/);
    }
    expect(app.requests.length).to.equal(2);
    expect(app.requests.every((request) => request.startsWith('POST /a'))).to.equal(true);
  });

  it('answer pipelined requests in their order, each by its own policy', async () => {
    const heard = await say(
      port,
      `GET /1 HTTP/1.1\r\nhost: h\r\n\r\n${smuggled}GET /3 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n`,
    );
    expect([...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).to.deep.equal(['200', '403', '200']);
  });

  const overHttp2: readonly (readonly [what: string, headers: http2.OutgoingHttpHeaders])[] = [
    ['a length that is not the body’s', { ':method': 'POST', 'content-length': 100 }],
    ['a host beside another authority', { ':authority': 'a', host: 'b' }],
    ['a path that climbs', { ':path': '/a/../admin' }],
    ['no path', { ':path': '' }],
    ['another path in disguise', { ':path': '/%61dmin' }],
    ['more than a head may have', { 'x-large': 'a'.repeat(40_000) }],
    ['more fields than a head may have', Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`x-${at}`, '1']))],
  ];
  for (const [what, headers] of overHttp2) {
    it(`do not reach the service in HTTP/2: ${what}`, async () => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      const stream = session.request({ ':path': '/a', ...headers }, { endStream: false });
      stream.end(headers[':method'] === 'POST' ? 'abc' : undefined);
      const status = await new Promise<number>((resolve) => {
        stream.on('response', (found) => resolve(Number(found[':status'])));
        stream.on('error', () => resolve(0));
        stream.on('close', () => resolve(0));
      });
      expect(status).to.be.oneOf([0, 400, 403, 431, 503]);
      session.destroy();
      expect(app.requests.filter((request) => /admin|x-large|x-299/.test(request))).to.deep.equal([]);
      expect((await ask(port)).status).to.equal(200);
    });
  }
});
