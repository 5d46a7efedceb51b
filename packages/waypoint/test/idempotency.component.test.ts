import { expect } from 'chai';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KeyValueStore } from '@clearmesh/shared/model/l7/resilience';
import { until } from './eventually.ts';
import { grpcClient, grpcLedger, unary } from './grpc-ledger.ts';
import { Metadata } from '@grpc/grpc-js';
import { ask, ask2 } from './http-client.ts';
import type { Reply } from './http-client.ts';
import { idempotencyPolicy, ledgerConfiguration } from './ledger-configuration.ts';
import { namedEcho } from './named-echo.ts';
import type { NamedEcho } from './named-echo.ts';
import { scriptServer } from './script-server.ts';
import { RedisServer } from './shape/redis-server.ts';
import { analytics, WaypointBed } from './waypoint-bed.ts';

for (const kind of ['memory', 'redis'] as const) {
  describe(`idempotency keys in ${kind}`, () => {
    let redis: RedisServer | undefined;
    let directory: string;
    let bed: WaypointBed;
    let store: KeyValueStore;
    let keys = 0;

    before(async () => {
      directory = await mkdtemp(path.join(tmpdir(), 'waypoint-key-'));
      await writeFile(path.join(directory, 'key'), randomBytes(32));
      if (kind === 'redis') redis = await RedisServer.start();
      store = (redis?.store({ timeoutMs: 500 }) as KeyValueStore | undefined) ?? { kind: 'memory' };
    });

    after(async () => {
      await redis?.[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    });

    beforeEach(async () => {
      bed = await WaypointBed.open({ domainKeyFile: path.join(directory, 'key') });
    });

    afterEach(() => bed[Symbol.asyncDispose]());

    function configure(): void {
      expect(bed.push(...ledgerConfiguration({ resilience: { idempotency: idempotencyPolicy({ store }) } }))).to.deep.equal([]);
    }

    async function serve(app: http.Server | ReturnType<typeof scriptServer>['server']): Promise<number> {
      await bed.addEndpoint('ledger-0', app);
      configure();
      const port = await bed.door();
      // The store's connection is made with the configuration, and the first requests may come before it.
      if (kind === 'redis') await new Promise((resolve) => setTimeout(resolve, 100));
      return port;
    }

    const booking = (): NamedEcho =>
      namedEcho('a', (response, { body }) =>
        response.writeHead(201, { 'content-type': 'text/plain', location: '/entries/1', 'x-own': '1' }).end(`booked ${body}`),
      );
    const fresh = (): string => `key-${(keys += 1)}`;
    const pay = (port: number, key: string, body = '10'): Promise<Reply> =>
      ask(port, { method: 'POST', path: '/entries', body, headers: { 'idempotency-key': key } });

    it('answers a request sent again as it was answered, and dispatches it once', async () => {
      const app = booking();
      const port = await serve(app.server);
      const key = fresh();
      const first = await pay(port, key);
      expect(first).to.include({ status: 201, body: 'booked 10' });
      const second = await pay(port, key);
      expect(second).to.include({ status: 201, body: 'booked 10' });
      expect(second.headers).to.include({ 'idempotency-replayed': 'true', location: '/entries/1' });
      expect(second.headers).to.not.have.property('x-own');
      expect(app.seen.length).to.equal(1);
      expect(await bed.line(String(second.headers['x-request-id']))).to.include({
        status: 201,
        attempts: 0,
        outcome: 'completed',
      });
      const other = await ask2(port, { ':method': 'POST', ':path': '/entries', 'idempotency-key': key }, '10');
      expect(other).to.include({ status: 201, body: 'booked 10' });
    });

    it('keeps keys of one caller apart from those of another', async () => {
      const app = booking();
      const port = await serve(app.server);
      const key = fresh();
      await pay(port, key);
      await pay(await bed.door(analytics), key);
      expect(app.seen.length).to.equal(2);
    });

    it('refuses a key that was used for another request', async () => {
      const port = await serve(booking().server);
      const key = fresh();
      await pay(port, key);
      const reply = await pay(port, key, '1000');
      expect(reply.status).to.equal(422);
      expect(reply.headers).to.include({ 'x-mesh-denied': 'idempotency-mismatch', 'x-mesh-outcome': 'not-dispatched' });
    });

    it('dispatches one of a hundred that come together', async () => {
      const held: http.ServerResponse[] = [];
      const port = await serve(namedEcho('a', (response) => held.push(response)).server);
      const key = fresh();
      const all = Array.from({ length: 100 }, () => pay(port, key));
      await until(() => held.length === 1);
      const early = await Promise.race(all);
      expect(early.status).to.equal(409);
      expect(early.headers).to.include({ 'x-mesh-denied': 'idempotency-in-flight' });
      held[0]?.writeHead(201).end('booked');
      const statuses = (await Promise.all(all)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 201).length).to.be.at.least(1);
      expect(statuses.every((status) => status === 201 || status === 409)).to.equal(true);
      expect(held.length).to.equal(1);
    });

    it('never sends again what an endpoint died over with the body read', async () => {
      const app = scriptServer((socket) => socket.destroy());
      const port = await serve(app.server);
      const key = fresh();
      const first = await pay(port, key);
      expect(first.status).to.equal(503);
      expect(first.headers).to.include({ 'x-mesh-outcome': 'unknown' });
      const second = await pay(port, key);
      expect(second.status).to.equal(409);
      expect(second.headers).to.include({ 'x-mesh-denied': 'idempotency-unknown', 'x-mesh-outcome': 'unknown' });
      expect(app.requests.length).to.equal(1);
    });

    it('frees the key of a request that was never sent', async () => {
      const app = booking();
      const port = await serve(app.server);
      app.server.close();
      app.server.closeAllConnections();
      const key = fresh();
      const first = await pay(port, key);
      expect(first.headers).to.include({ 'x-mesh-outcome': 'not-dispatched' });
      expect((await pay(port, key)).headers).to.include({ 'x-mesh-denied': 'connect-failure' });
    });

    it('goes on for a caller that leaves, and answers it when it comes again', async () => {
      const held: http.ServerResponse[] = [];
      const port = await serve(namedEcho('a', (response) => held.push(response)).server);
      const key = fresh();
      const request = http.request({
        port,
        host: '127.0.0.1',
        agent: false,
        method: 'POST',
        path: '/entries',
        headers: { 'idempotency-key': key },
      });
      request.on('error', () => {});
      request.end('10');
      await until(() => held.length === 1);
      request.destroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(held[0]?.destroyed).to.equal(false);
      held[0]?.writeHead(201).end('booked');
      await until(() => bed.plane.active === 0);
      expect(await pay(port, key)).to.include({ status: 201, body: 'booked' });
      expect(held.length).to.equal(1);
      expect(bed.log[0]).to.include({ status: 201, flags: 'DC', outcome: 'completed' });
    });

    if (kind === 'redis') {
      it('dispatches nothing without the store', async () => {
        const app = booking();
        const port = await serve(app.server);
        await redis?.kill();
        const reply = await pay(port, fresh());
        expect(reply.status).to.equal(503);
        expect(reply.headers).to.include({ 'x-mesh-denied': 'idempotency-unavailable', 'x-mesh-outcome': 'not-dispatched' });
        expect((await ask(port)).status).to.equal(201);
        expect(app.seen.map(({ method }) => method)).to.deep.equal(['GET']);
      });
    } else {
      it('answers a gRPC call again with its status', async () => {
        const ledger = grpcLedger();
        await bed.addEndpoint('ledger-0', ledger.server);
        bed.push(...ledgerConfiguration({ protocol: 'GRPC', resilience: { idempotency: idempotencyPolicy() } }));
        const client = grpcClient(await bed.door());
        const metadata = new Metadata();
        metadata.set('idempotency-key', fresh());
        for (let round = 0; round < 2; round += 1) {
          const { error, body } = await unary(client, 'Echo', Buffer.from('hello'), { metadata });
          expect(error).to.equal(null);
          expect(body).to.equal('hello');
        }
        metadata.set('idempotency-key', fresh());
        for (let round = 0; round < 2; round += 1)
          expect((await unary(client, 'Fail', Buffer.alloc(0), { metadata })).error?.code).to.equal(9);
        expect(ledger.seen.length).to.equal(1);
        client.close();
        ledger.grpc.forceShutdown();
      });
    }
  });
}
