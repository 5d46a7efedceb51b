import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { until } from './eventually.ts';
import { ask, say } from './http-client.ts';
import { ledgerConfiguration } from './ledger-configuration.ts';
import { analytics, WaypointBed } from './waypoint-bed.ts';

describe('bytes through a waypoint', () => {
  let bed: WaypointBed;

  beforeEach(async () => {
    bed = await WaypointBed.open();
  });

  afterEach(() => bed[Symbol.asyncDispose]());

  /** One endpoint behind an undeclared or opaque port, and a door to it. */
  async function serve(protocol: 'TCP' | 'TLS' | 'UNKNOWN' | 'HTTP11', server: net.Server): Promise<number> {
    await bed.addEndpoint('ledger-0', server);
    bed.push(...ledgerConfiguration({ protocol }));
    return bed.door();
  }

  const redis = (): net.Server => net.createServer((socket) => socket.on('data', (chunk) => socket.write(`+${String(chunk)}`)));

  for (const protocol of ['TCP', 'TLS', 'UNKNOWN'] as const) {
    it(`carries a dialogue of a ${protocol} port, and reports its bytes once`, async () => {
      const socket = net.connect(await serve(protocol, redis()), '127.0.0.1');
      for (const word of ['*1\r\n$4\r\nPING\r\n', 'again']) {
        socket.write(word);
        expect(String((await once(socket, 'data'))[0])).to.equal(`+${word}`);
      }
      socket.end();
      await until(() => bed.log.length === 1);
      expect(bed.log[0]).to.include({
        status: 0,
        flags: '-',
        bytes_in: 19,
        bytes_out: 21,
        upstream: 'ledger-0',
        outcome: 'completed',
      });
      expect(bed.plane.active).to.equal(0);
    });
  }

  it('lets the server of a TCP port speak first', async () => {
    const port = await serve(
      'TCP',
      net.createServer((socket) => socket.end('220 ready\r\n')),
    );
    expect(await say(port, '')).to.equal('220 ready\r\n');
  });

  it('carries HTTP on an undeclared port as requests', async () => {
    const port = await serve(
      'UNKNOWN',
      http.createServer((_request, response) => response.end('http')),
    );
    expect((await ask(port)).body).to.equal('http');
    await until(() => bed.log.length === 1);
    expect(bed.log[0]).to.include({ status: 200, protocol: 'HTTP/1.1' });
  });

  it('breaks off what is no HTTP on a port that declares it', async () => {
    const port = await serve('HTTP11', redis());
    expect(await say(port, '*1\r\n$4\r\nPING\r\n')).to.equal('');
    expect(bed.asked).to.deep.equal([]);
  });

  it('keeps half-closed streams open the other way', async () => {
    const port = await serve(
      'TCP',
      net.createServer({ allowHalfOpen: true }, (socket) => {
        let bytes = 0;
        socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
        socket.on('end', () => setTimeout(() => socket.end(`read ${bytes}`), 50));
      }),
    );
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end('x'.repeat(1_000));
    let heard = '';
    for await (const chunk of socket) heard += String(chunk);
    expect(heard).to.equal('read 1000');
  });

  it('denies by what layer 4 can see', async () => {
    await bed.addEndpoint('ledger-0', redis());
    const key = 'AuthorizationPolicy ledger/only-payments';
    const rules = [{ from: [{ principals: ['cluster.local/ns/payments/sa/payments'] }] }];
    bed.push(
      ...ledgerConfiguration({
        protocol: 'TCP',
        authorization: [{ key, namespace: 'ledger', action: 'ALLOW', dryRun: false, rules }],
      }),
    );
    expect(await say(await bed.door(), 'a', /\+a/)).to.equal('+a');
    expect(await say(await bed.door(analytics), 'a')).to.equal('');
    await until(() => bed.log.length === 2);
    const refused = bed.log.find(({ flags }) => flags === 'RBAC');
    expect(refused).to.include({ status: 0, outcome: 'not-dispatched', attempts: 0 });
    expect(await bed.metrics.registry.metrics()).to.match(/clearmesh_denials_total\{reason="policy-denied"[^}]*\} 1/);
  });

  it('refuses what an ALLOW of methods cannot judge', async () => {
    await bed.addEndpoint('ledger-0', redis());
    const key = 'AuthorizationPolicy ledger/reads';
    bed.push(
      ...ledgerConfiguration({
        protocol: 'TCP',
        authorization: [{ key, namespace: 'ledger', action: 'ALLOW', dryRun: false, rules: [{ to: [{ methods: ['GET'] }] }] }],
      }),
    );
    expect(await say(await bed.door(), 'a')).to.equal('');
    expect(bed.asked).to.deep.equal([]);
  });

  it('says that an endpoint could not be had', async () => {
    const server = redis();
    const port = await serve('TCP', server);
    server.close();
    expect(await say(port, 'a')).to.equal('');
    await until(() => bed.log.length === 1);
    expect(bed.log[0]).to.include({ flags: 'UF', outcome: 'not-dispatched', upstream: 'ledger-0' });
  });

  const bulk = 256 * 1024 * 1024;
  const block = randomBytes(1024 * 1024);

  /** Blocks of one body, each with its number, so that no two are equal. */
  function* blocks(): Generator<Buffer> {
    for (let at = 0; at < bulk / block.length; at += 1) {
      const copy = Buffer.from(block);
      copy.writeUInt32BE(at);
      yield copy;
    }
  }

  for (const protocol of ['TCP', 'HTTP11'] as const) {
    it(`carries 256 MiB up and down a ${protocol} port unchanged, in little memory`, async function () {
      this.timeout(60_000);
      const received = createHash('sha256');
      const bytes = net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('data', (chunk: Buffer) => received.update(chunk));
        socket.on('end', () => Readable.from(blocks()).pipe(socket));
      });
      const requests = http.createServer((request, response) => {
        request.on('data', (chunk: Buffer) => received.update(chunk));
        request.on('end', () => Readable.from(blocks()).pipe(response));
      });
      const port = await serve(protocol, protocol === 'TCP' ? bytes : requests);
      const before = process.memoryUsage.rss();
      let peak = before;
      const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 50);
      const sent = createHash('sha256');
      for (const copy of blocks()) sent.update(copy);
      const back = createHash('sha256');
      if (protocol === 'TCP') {
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        await Promise.all([pipeline(Readable.from(blocks()), socket, { end: true }).catch(() => {}), pipeline(socket, back)]);
      } else {
        const request = http.request({ port, host: '127.0.0.1', method: 'PUT', agent: false });
        Readable.from(blocks()).pipe(request);
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        await pipeline(response, back);
      }
      clearInterval(watch);
      const digest = sent.digest('hex');
      expect(received.digest('hex')).to.equal(digest);
      expect(back.digest('hex')).to.equal(digest);
      // The test's own ends are in this process, with their garbage; one direction held back would be 256 MiB more.
      expect((peak - before) / 1024 / 1024).to.be.lessThan(220);
    });
  }
});
