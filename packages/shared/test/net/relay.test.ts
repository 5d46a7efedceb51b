import { randomBytes } from 'node:crypto';
import { Duplex, duplexPair } from 'node:stream';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { relay } from '../../src/net/relay.ts';
import type { RelayEnd, RelayOptions } from '../../src/net/relay.ts';

type Bed = {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly near: Duplex;
  readonly far: Duplex;
  readonly clock: FakeClock;
  readonly controller: AbortController;
  readonly end: Promise<RelayEnd>;
};

function bed(options: RelayOptions = {}): Bed {
  const [client, near] = duplexPair({ allowHalfOpen: true });
  const [far, server] = duplexPair({ allowHalfOpen: true });
  for (const stream of [client, server]) stream.on('error', () => {});
  const clock = new FakeClock();
  const controller = new AbortController();
  return { client, server, near, far, clock, controller, end: relay(near, far, { clock }, controller.signal, options) };
}

async function text(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const events = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('relay', () => {
  it('completes when both directions ended, near first', async () => {
    const { client, server, end } = bed();
    client.end('question');
    expect(await text(server)).to.equal('question');
    server.end('answer');
    expect(await text(client)).to.equal('answer');
    expect(await end).to.deep.equal({ kind: 'complete' });
  });

  it('completes when both directions ended, far first', async () => {
    const { client, server, end } = bed();
    server.end('greeting');
    expect(await text(client)).to.equal('greeting');
    client.end('late answer');
    expect(await text(server)).to.equal('late answer');
    expect(await end).to.deep.equal({ kind: 'complete' });
  });

  it('destroys both streams at the end', async () => {
    const { client, server, near, far, end } = bed();
    client.end();
    server.end();
    client.resume();
    server.resume();
    await end;
    expect([near.destroyed, far.destroyed]).to.deep.equal([true, true]);
  });

  for (const lost of ['near', 'far'] as const) {
    it(`turns a reset of the ${lost} side into an orderly end of the other, after what was read`, async () => {
      const streams = bed();
      const [sender, other] = lost === 'near' ? [streams.client, streams.server] : [streams.server, streams.client];
      sender.write('last words');
      await events();
      streams[lost].destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
      expect(await text(other)).to.equal('last words');
      expect(await streams.end).to.include({ kind: 'broken', side: lost });
      expect([streams.near.destroyed, streams.far.destroyed]).to.deep.equal([true, true]);
    });
  }

  it('calls a side that vanishes without an end broken', async () => {
    const { far, client, end } = bed();
    client.resume();
    far.destroy();
    const outcome = await end;
    expect(outcome).to.include({ kind: 'broken', side: 'far' });
  });

  it('completes when a side ended in order and then closed both ways', async () => {
    const { far, server, client, end } = bed();
    server.end('bye');
    expect(await text(client)).to.equal('bye');
    far.destroy();
    expect(await end).to.deep.equal({ kind: 'complete' });
  });

  it('is broken at once when a side was lost before it started', async () => {
    const [, near] = duplexPair();
    const [far, server] = duplexPair();
    server.resume();
    near.on('error', () => {});
    near.destroy(new Error('reset'));
    await events();
    expect(await relay(near, far, { clock: new FakeClock() }, new AbortController().signal)).to.include({
      kind: 'broken',
      side: 'near',
    });
    expect(far.destroyed).to.equal(true);
  });

  it('cuts both sides on the signal and tells its reason', async () => {
    const { controller, near, far, end } = bed();
    controller.abort('policy');
    expect(await end).to.deep.equal({ kind: 'cut', reason: 'policy' });
    expect([near.destroyed, far.destroyed]).to.deep.equal([true, true]);
  });

  it('cuts at once when the signal was aborted before', async () => {
    const [, near] = duplexPair();
    const [far] = duplexPair();
    expect(await relay(near, far, { clock: new FakeClock() }, AbortSignal.abort('drain'))).to.deep.equal({
      kind: 'cut',
      reason: 'drain',
    });
  });

  it('stops reading from a fast sender while the other side does not take anything', async () => {
    const { client, end, controller } = bed();
    let taken = 0;
    const fill = (): void => {
      while (taken < 64 * 1024 * 1024) {
        taken += 65_536;
        if (!client.write(Buffer.alloc(65_536))) return void client.once('drain', fill);
      }
    };
    fill();
    await events();
    expect(taken).to.be.lessThan(1024 * 1024);
    controller.abort();
    await end;
  });

  it('carries every byte, in order, to a reader that stops again and again', async () => {
    const { client, server, end } = bed();
    const sent = randomBytes(4 * 1024 * 1024);
    client.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of server.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Buffer.concat(chunks).equals(sent)).to.equal(true);
    server.end();
    client.resume();
    expect(await end).to.deep.equal({ kind: 'complete' });
  });

  it('reads nothing until the other side has room, when it had none at the start', async () => {
    const [client, near] = duplexPair();
    const pending: (() => void)[] = [];
    const full = new Duplex({ read() {}, write: (_chunk, _encoding, done) => void pending.push(done), highWaterMark: 1 });
    full.write('before');
    const controller = new AbortController();
    const end = relay(near, full, { clock: new FakeClock() }, controller.signal);
    client.write('after');
    await events();
    expect([full.writableLength, near.isPaused()]).to.deep.equal([6, true]);
    pending.shift()?.();
    await events();
    expect([full.writableLength, pending.length]).to.deep.equal([5, 1]);
    controller.abort();
    await end;
  });

  it('leaves unread what comes back while it flushes, so that the sender is held back', async () => {
    const stuck = new Duplex({ read() {}, write() {}, final() {} });
    const [, near] = duplexPair();
    const clock = new FakeClock();
    const end = relay(near, stuck, { clock }, new AbortController().signal, { flushMs: 1_000 });
    near.destroy(new Error('reset'));
    await events();
    for (let sent = 0; sent < 10; sent++) stuck.push('nobody reads this');
    await events();
    expect([stuck.isPaused(), stuck.readableLength > 0]).to.deep.equal([true, true]);
    clock.advance(1_000);
    await end;
  });

  it('has one listener for each event of an open stream (R6)', async () => {
    const { near, far, controller, end } = bed();
    await events();
    const own = (stream: Duplex): readonly string[] => {
      return ['close', 'data', 'drain', 'end', 'error', 'finish', 'unpipe'].map(
        (name) => `${name} ${stream.listenerCount(name)}`,
      );
    };
    const one = ['close 1', 'data 1', 'drain 0', 'end 1', 'error 1', 'finish 1', 'unpipe 0'];
    expect([own(near), own(far)]).to.deep.equal([one, one]);
    controller.abort();
    await end;
  });

  it('gives up flushing to a side that takes nothing for the whole allowance', async () => {
    const stuck = new Duplex({ read() {}, write() {}, final() {} });
    const [client, near] = duplexPair();
    const clock = new FakeClock();
    const end = relay(near, stuck, { clock }, new AbortController().signal, { flushMs: 1_000 });
    client.write('never taken');
    await events();
    near.destroy(new Error('reset'));
    await events();
    clock.advance(1_000);
    expect(await end).to.include({ kind: 'broken', side: 'near' });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('waits for a slow reader as long as it takes something', async () => {
    const pending: (() => void)[] = [];
    const slow = new Duplex({ read() {}, write: (_chunk, _encoding, done) => void pending.push(done), final: (done) => done() });
    const [client, near] = duplexPair();
    const clock = new FakeClock();
    const end = relay(near, slow, { clock }, new AbortController().signal, { flushMs: 1_000 });
    client.write('one');
    client.write('two');
    await events();
    near.destroy(new Error('reset'));
    await events();
    pending.shift()?.();
    await events();
    clock.advance(1_000);
    expect(slow.destroyed).to.equal(false);
    pending.shift()?.();
    expect(await end).to.include({ kind: 'broken', side: 'near' });
  });

  it('lets go of what comes for a side that somebody else has ended, and completes when that side ends too (R5)', async () => {
    const { client, server, near, end } = bed();
    server.write('before');
    await events();
    near.end();
    server.write('after');
    const heard = text(client);
    await events();
    server.end('much later');
    client.end();
    server.resume();
    expect([await heard, await end]).to.deep.equal(['before', { kind: 'complete' }]);
  });

  it('leaves no listener on the signal', async () => {
    const { client, server, controller, end } = bed();
    client.end();
    server.end();
    client.resume();
    server.resume();
    const outcome = await end;
    controller.abort();
    expect(outcome).to.deep.equal({ kind: 'complete' });
  });

  describe('with resets', () => {
    /** As sockets and streams of a tunnel have it. */
    const watched = (streams: Bed): string[] => {
      const resets: string[] = [];
      for (const side of ['near', 'far'] as const) {
        const stream = streams[side];
        Object.assign(stream, { resetAndDestroy: () => (resets.push(side), stream.destroy()) });
      }
      return resets;
    };

    for (const lost of ['near', 'far'] as const) {
      it(`passes a reset of the ${lost} side on at once`, async () => {
        const streams = bed({ resets: true });
        const resets = watched(streams);
        streams[lost].destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
        expect(await streams.end).to.include({ kind: 'broken', side: lost });
        expect(resets).to.deep.equal([lost === 'near' ? 'far' : 'near']);
      });
    }

    it('resets both sides of what is cut', async () => {
      const streams = bed({ resets: true });
      const resets = watched(streams);
      streams.controller.abort(new Error('a policy'));
      expect(await streams.end).to.include({ kind: 'cut' });
      expect(resets).to.deep.equal(['near', 'far']);
    });

    it('resets nothing that ended in order', async () => {
      const streams = bed({ resets: true });
      const resets = watched(streams);
      streams.client.end('question');
      streams.server.end('answer');
      expect([await text(streams.server), await text(streams.client)]).to.deep.equal(['question', 'answer']);
      expect(await streams.end).to.deep.equal({ kind: 'complete' });
      expect(resets).to.deep.equal([]);
    });
  });
});
