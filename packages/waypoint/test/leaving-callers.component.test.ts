import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { until } from './eventually.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { WaypointBed } from './waypoint-bed.ts';

const upload = Buffer.alloc(8 * 1024 * 1024, 'u');

type Leave = (tunnel: Duplex, body: boolean) => () => void;

const over1: Leave = (tunnel, body) => {
  tunnel.on('error', () => {});
  const request = http.request({ createConnection: () => tunnel, method: body ? 'PUT' : 'GET' });
  request.on('error', () => {});
  request.end(body ? upload : undefined);
  return () => void tunnel.destroy();
};

const over2: Leave = (tunnel, body) => {
  const session = http2.connect('http://ledger', { createConnection: () => tunnel });
  session.on('error', () => {});
  const stream = session.request({ ':method': body ? 'PUT' : 'GET', ':path': '/' }, { endStream: !body });
  stream.on('error', () => {});
  if (body) stream.end(upload);
  return () => {
    stream.close(http2.constants.NGHTTP2_CANCEL);
    stream.once('close', () => session.destroy());
  };
};

describe('callers that leave', () => {
  let bed: WaypointBed;
  let connections: Set<net.Socket>;

  beforeEach(async () => {
    bed = await WaypointBed.open();
    connections = new Set();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  async function serve(script: (socket: net.Socket) => void): Promise<Duplex> {
    const server = net.createServer((socket) => {
      connections.add(socket);
      socket.on('error', () => {}).on('close', () => connections.delete(socket));
      script(socket);
    });
    await bed.addEndpoint('ledger-0', server);
    bed.push(...ledgerConfiguration());
    const tunnel = await bed.connect();
    if (typeof tunnel === 'number') throw new Error(`CONNECT answered ${tunnel}`);
    return tunnel;
  }

  const rows: readonly (readonly [
    what: string,
    leave: Leave,
    body: boolean,
    script: (socket: net.Socket) => void,
    status: number,
  ])[] = [
    ['of HTTP/1.1 before an answer', over1, false, (socket) => socket.resume(), 0],
    ['of HTTP/2 before an answer', over2, false, (socket) => socket.resume(), 0],
    ['of HTTP/1.1 with a body nobody takes', over1, true, (socket) => socket.pause(), 0],
    ['of HTTP/2 with a body nobody takes', over2, true, (socket) => socket.pause(), 0],
    [
      'of HTTP/1.1 in the answer',
      over1,
      false,
      (socket) => socket.resume().write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
      200,
    ],
    [
      'of HTTP/2 in the answer',
      over2,
      false,
      (socket) => socket.resume().write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
      200,
    ],
  ];
  for (const [what, leave, body, script, status] of rows) {
    it(`leave nothing behind: ${what}`, async () => {
      const away = leave(await serve(script), body);
      await until(() => connections.size === 1);
      await new Promise((resolve) => setTimeout(resolve, 60));
      away();
      await until(() => bed.log.length === 1);
      expect(bed.log[0]).to.include({ status, flags: 'DC', outcome: status === 0 ? 'unknown' : 'completed' });
      expect(bed.plane.active).to.equal(0);
      for (const socket of connections) socket.resume();
      await until(() => connections.size === 0);
    });
  }
});
