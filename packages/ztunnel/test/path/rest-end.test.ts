import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { relay } from '@clearmesh/shared/net/relay';
import type { RelayEnd } from '@clearmesh/shared/net/relay';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { Connections } from '../../src/path/connections.ts';
import type { OpenConnection } from '../../src/path/connections.ts';

/** What streams do of themselves is done after a few turns of the loop. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a connection of a pod that drains', () => {
  let clock: FakeClock;
  let drain: Drain;
  let client: Duplex;
  let server: Duplex;
  let open: OpenConnection;
  let end: Promise<RelayEnd>;
  let heard: { client: string; clientEnded: boolean; server: string; serverEnded: boolean };

  beforeEach(() => {
    clock = new FakeClock();
    drain = new Drain({ clock });
    let near: Duplex;
    let far: Duplex;
    [client, near] = duplexPair();
    [far, server] = duplexPair();
    open = new Connections({ drain, clock }).open('outbound', socketAddress('10.0.0.1:1000'));
    open.carries(near, far);
    end = relay(near, far, { clock }, open.signal).finally(() => open[Symbol.dispose]());
    heard = { client: '', clientEnded: false, server: '', serverEnded: false };
    client.on('data', (bytes: Buffer) => (heard.client += String(bytes))).on('end', () => (heard.clientEnded = true));
    server.on('data', (bytes: Buffer) => (heard.server += String(bytes))).on('end', () => (heard.serverEnded = true));
  });

  async function ask(text: string): Promise<void> {
    client.write(text);
    await settled();
  }

  async function answer(text: string): Promise<void> {
    server.write(text);
    await settled();
  }

  async function pass(ms: number): Promise<void> {
    clock.advance(ms);
    await settled();
  }

  it('is heard of by nobody before, and has no timer', async () => {
    await ask('question');
    expect([clock.pendingTimers, heard.server]).to.deep.equal([0, 'question']);
  });

  it('ends in order when it idles after an answer, long before the deadline', async () => {
    drain.begin(20_000);
    await ask('question');
    await answer('answer');
    await pass(999);
    expect(heard.clientEnded).to.equal(false);
    await pass(1);
    expect(heard).to.include({ client: 'answer', clientEnded: true, serverEnded: false });
    client.end();
    await settled();
    expect(heard.serverEnded).to.equal(true);
    server.end();
    expect((await end).kind).to.equal('complete');
    expect(await drain.done).to.deep.equal({ forced: false, cut: [] });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('idles longer before it ends where the drain is long', async () => {
    drain.begin(600_000);
    await answer('greeting');
    await pass(29_999);
    expect(heard.clientEnded).to.equal(false);
    await pass(1);
    expect(heard.clientEnded).to.equal(true);
  });

  it('goes on while its client asks again and again, and ends in a pause of the second half', async () => {
    drain.begin(20_000);
    while (clock.monotonicMs() < 10_000) {
      await ask('?');
      await pass(1);
      await answer('!');
      await pass(20);
    }
    expect(heard.clientEnded).to.equal(true);
    expect(heard.client.length).to.equal(heard.server.length);
    expect(clock.monotonicMs()).to.be.within(10_000, 10_030);
  });

  it('never ends while a question waits for its answer, and the deadline cuts it', async () => {
    drain.begin(20_000);
    await ask('a long question');
    await pass(19_999);
    expect(heard.clientEnded).to.equal(false);
    await pass(1);
    expect(await end).to.include({ kind: 'cut' });
    expect((await drain.done).cut).to.deep.equal(['outbound 10.0.0.1:1000']);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('ends late when nothing was ever said in the drain', async () => {
    drain.begin(20_000);
    await pass(15_000);
    expect(heard.clientEnded).to.equal(false);
    await pass(1_500);
    expect(heard.clientEnded).to.equal(true);
  });

  it('still carries a question that crossed its end', async () => {
    drain.begin(20_000);
    await answer('greeting');
    await pass(1_000);
    expect(heard.clientEnded).to.equal(true);
    await ask('crossing');
    expect(heard.server).to.equal('crossing');
  });

  it('that is opened in the drain ends as well', async () => {
    drain.begin(20_000);
    const connections = new Connections({ drain, clock });
    const [caller, near] = duplexPair();
    const [far, callee] = duplexPair();
    using late = connections.open('inbound', socketAddress('10.0.0.1:1001'));
    late.carries(near, far);
    void relay(near, far, { clock }, late.signal);
    callee.resume();
    callee.write('greeting');
    let ended = false;
    caller.resume().on('end', () => (ended = true));
    await settled();
    await pass(1_000);
    expect(ended).to.equal(true);
  });
});
