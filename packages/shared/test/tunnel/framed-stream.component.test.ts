/** What the streams of the framed engine do beyond N1 to N6, or more strictly. */
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import type { FramedStream } from '../../src/tunnel/framed-stream.ts';
import { bounded, event, until } from './bounded.ts';
import { openRig, readAll } from './compliance/rig.ts';
import type { Rig } from './compliance/rig.ts';

const open = (): Promise<Rig> => openRig((deps) => new FramedEngine(deps));

describe('FramedStream', () => {
  it('gives a slow reader what came before a cut, then an error and no end (N6)', async () => {
    await using rig = await open();
    const { near, far } = await rig.stream();
    far.write('half of an answer');
    await until(() => near.readableLength > 0, 'first bytes');
    rig.transports.server.destroy();
    await bounded(rig.client.closed, 'closed');
    let ended = false;
    let heard = '';
    near.once('end', () => (ended = true));
    const failed = event(near, 'error');
    near.on('data', (bytes) => (heard += String(bytes)));
    expect(String(await failed)).to.include('MESH-HBONE-004');
    expect([heard, ended]).to.deep.equal(['half of an answer', false]);
  });

  it('says `finish` of nothing that was written to a peer who had reset the stream (N2)', async () => {
    await using rig = await open();
    const { near, far } = await rig.stream();
    let finished = false;
    near.once('finish', () => (finished = true));
    const aborted = event(near, 'aborted');
    far.destroy();
    await aborted;
    near.end('into the void');
    near.resume();
    await until(() => near.destroyed, 'closed');
    expect(finished).to.equal(false);
  });

  it('goes on with other streams when a listener throws (T5)', async () => {
    await using rig = await open();
    const { near, far } = await rig.stream();
    const other = await rig.stream();
    const [handler] = process.listeners('uncaughtException');
    const defects: unknown[] = [];
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => defects.push(error));
    try {
      far.on('data', () => {
        throw new Error('a defect');
      });
      near.write('x');
      other.near.end('y');
      expect(String(await readAll(other.far))).to.equal('y');
      await until(() => defects.length > 0, 'the defect');
    } finally {
      process.removeAllListeners('uncaughtException');
      if (handler !== undefined) process.on('uncaughtException', handler);
    }
    expect(defects.map(String)).to.deep.equal(['Error: a defect']);
  });

  it('counts what a paused reader has not read against its window only once (T1)', async () => {
    await using rig = await open();
    const { near, far } = await rig.stream();
    const sent = createHash('sha1');
    const received = createHash('sha1');
    let reads = 0;
    far.on('data', (bytes: Buffer) => {
      received.update(bytes);
      // Sometimes past the buffer, sometimes through it (T2).
      if (reads++ % 3 === 0) {
        far.pause();
        setImmediate(() => far.resume());
      }
    });
    const ended = event(far, 'end', 20_000);
    for (let i = 0; i < 300; i++) {
      const chunk = randomBytes(100_000);
      sent.update(chunk);
      if (!near.write(chunk)) await event(near, 'drain');
    }
    near.end();
    await ended;
    expect(received.digest('hex')).to.equal(sent.digest('hex'));
  });

  it('keeps order when text, bytes and large chunks are written in turn', async () => {
    await using rig = await open();
    const { near, far } = await rig.stream();
    const parts = Array.from({ length: 200 }, (_, i) => (i % 3 === 0 ? `${i} äöü 漢字 ` : Buffer.alloc((i * 997) % 50_000, i)));
    for (const part of parts) near.write(part);
    near.end('end', 'latin1');
    const all = Buffer.concat([...parts.map((part) => Buffer.from(part as string)), Buffer.from('end')]);
    expect((await readAll(far)).equals(all)).to.equal(true);
  });

  it('decodes for a reader that asks for text', async () => {
    await using rig = await open();
    const { near, far } = await rig.stream();
    far.setEncoding('utf8');
    const heard: unknown[] = [];
    far.on('data', (text) => heard.push(text));
    const bytes = Buffer.from('ä');
    near.write(bytes.subarray(0, 1));
    near.end(bytes.subarray(1));
    await event(far, 'end');
    expect(heard.join('')).to.equal('ä');
  });

  it('emits `timeout` so long after the last setTimeout(), and no timer outlives it', async () => {
    await using rig = await open();
    const { near } = await rig.stream();
    const stream = near as FramedStream;
    const timers = rig.clock.pendingTimers;
    let timeouts = 0;
    stream.on('timeout', () => timeouts++);
    stream.setTimeout(1_000);
    rig.clock.advance(600);
    stream.setTimeout(1_000);
    rig.clock.advance(600);
    expect(timeouts).to.equal(0);
    stream.setTimeout(0);
    rig.clock.advance(1_000);
    expect([timeouts, rig.clock.pendingTimers]).to.deep.equal([0, timers]);
    stream.setTimeout(1_000);
    rig.clock.advance(1_000);
    expect([timeouts, rig.clock.pendingTimers]).to.deep.equal([1, timers]);
    stream.setTimeout(1_000);
    stream.destroy();
    expect(rig.clock.pendingTimers).to.equal(timers);
  });

  it('is a connection to node:http, which ends it when it is at rest too long', async () => {
    await using rig = await open();
    const server = http.createServer({ keepAliveTimeout: 1_000 }, (request, response) => {
      response.end(`you asked for ${request.url}`);
    });
    const { near, far } = await rig.stream();
    server.emit('connection', far);
    let heard = '';
    near.on('data', (bytes) => (heard += String(bytes)));
    for (const path of ['/one', '/two']) {
      near.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
      await until(() => heard.includes(`you asked for ${path}`), path);
    }
    const closed = event(near, 'close');
    await new Promise((resolve) => setImmediate(resolve));
    rig.clock.advance(9_000);
    await closed;
  });
});
