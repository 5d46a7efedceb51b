import { expect } from 'chai';
import { afterEach, describe, it } from 'mocha';
import type { ReceivedPacket } from '@clearmesh/linux/seqpacket';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { decodeAck, decodeHello, encodeZdsRequest } from '@clearmesh/shared/wire/zds';
import type { ZdsRequest } from '@clearmesh/shared/wire/zds';
import { Pods } from '../../src/capture/pods.ts';
import { ZdsClient } from '../../src/capture/zds-client.ts';
import type { AgentConnection } from '../../src/capture/zds-client.ts';
import { FakeNamespace, FakePod } from './fake-namespace.ts';

/** The agent's end of one conversation, driven by the test. */
class FakeAgent implements AgentConnection {
  readonly answers: Uint8Array[] = [];
  closed = false;
  /** The agent is gone before it has read anything. */
  deaf = false;
  readonly #queue: (ReceivedPacket | undefined)[] = [];
  #wake = Promise.withResolvers<void>();
  #answered = Promise.withResolvers<void>();

  send(bytes: Uint8Array): void {
    if (this.deaf) throw new Error('EPIPE');
    this.answers.push(bytes);
    this.#answered.resolve();
  }

  async receive(signal: AbortSignal): Promise<ReceivedPacket | undefined> {
    while (this.#queue.length === 0) {
      await Promise.race([
        this.#wake.promise,
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
    }
    return this.#queue.shift();
  }

  /** Sends one request and waits for the text of its answer. */
  async ask(request: ZdsRequest | Uint8Array, fds: readonly number[] = []): Promise<string> {
    const bytes = request instanceof Uint8Array ? request : encodeZdsRequest(request);
    this.#answered = Promise.withResolvers();
    this.#push({ bytes, fds, truncated: false });
    await this.#answered.promise;
    const ack = decodeAck(this.answers.at(-1)!);
    return ack.kind === 'ack' ? ack.error : 'invalid';
  }

  end(): void {
    this.#push(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }

  #push(packet: ReceivedPacket | undefined): void {
    this.#queue.push(packet);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

const info = { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' };
const add = (uid: string): ZdsRequest => ({ kind: 'add', uid, info });
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
};

class Bed {
  readonly clock = new FakeClock();
  readonly dials: (FakeAgent | Error)[] = [];
  readonly agents: FakeAgent[] = [];
  readonly states: string[] = [];
  readonly fatal: MeshError[] = [];
  readonly closedDescriptors: number[] = [];
  readonly failing = new Set<string>();
  /** Dials, counted from one, whose agent reads nothing. */
  readonly deafDials = new Set<number>();
  readonly stop = new AbortController();
  readonly pods = new Pods<FakeNamespace, FakePod>(
    {},
    { start: (spec) => this.#start(spec.uid), clock: this.clock, logger: silentLogger, onChange: () => {} },
  );
  dialCount = 0;
  readonly done: Promise<void>;

  constructor(refusals = 0) {
    const client = new ZdsClient<FakeNamespace>({
      dial: async () => {
        this.dialCount++;
        if (this.dialCount <= refusals) throw new Error('ECONNREFUSED');
        const agent = new FakeAgent();
        agent.deaf = this.deafDials.has(this.dialCount);
        this.agents.push(agent);
        return agent;
      },
      pods: this.pods,
      adoptNamespace: (fd) => {
        if (fd === 99) throw new Error('not a network namespace');
        return new FakeNamespace(fd);
      },
      closeDescriptor: (fd) => this.closedDescriptors.push(fd),
      clock: this.clock,
      random: new FakeRandom(),
      logger: silentLogger,
      onState: (state) => this.states.push(state),
      onFatal: (error) => this.fatal.push(error),
    });
    this.done = client.run(this.stop.signal);
  }

  get uids(): readonly string[] {
    return [...this.pods.states()].map(({ uid, state }) => `${uid} ${state}`);
  }

  #start(uid: string): FakePod {
    if (this.failing.has(uid)) throw new Error('cannot bind');
    return new FakePod();
  }
}

describe('ZdsClient', () => {
  let bed: Bed;
  afterEach(async () => {
    bed.stop.abort();
    await bed.done;
  });

  it('greets, obeys a snapshot, acknowledges each packet and says when it is in sync', async () => {
    bed = new Bed();
    await turns();
    const agent = bed.agents[0]!;
    expect(decodeHello(agent.answers[0]!)).to.deep.equal({ kind: 'hello' });
    expect(await agent.ask(add('a'), [10])).to.equal('');
    expect(bed.states).to.deep.equal([]);
    expect(await agent.ask({ kind: 'snapshotSent' })).to.equal('');
    expect(bed.states).to.deep.equal(['synced']);
    expect(bed.uids).to.deep.equal(['a Up']);
    expect(agent.answers).to.have.length(3);
  });

  it('answers a failed start with the reason, keeps the connection, and starts the pod 5 s later', async () => {
    bed = new Bed();
    bed.failing.add('a');
    await turns();
    const agent = bed.agents[0]!;
    expect(await agent.ask(add('a'), [10])).to.match(/failure to start proxy: cannot bind/);
    expect(await agent.ask({ kind: 'snapshotSent' })).to.equal('');
    bed.failing.clear();
    bed.clock.advance(5_000);
    expect(bed.uids).to.deep.equal(['a Up']);
    expect([bed.dialCount, agent.answers.length]).to.deep.equal([1, 3]);
  });

  it('refuses a descriptor that is no network namespace and goes on', async () => {
    bed = new Bed();
    await turns();
    expect(await bed.agents[0]!.ask(add('a'), [99])).to.match(/not a network namespace/);
    expect(await bed.agents[0]!.ask({ kind: 'snapshotSent' })).to.equal('');
  });

  it('dials again at once when the agent ends, keeps its pods, and removes what the new snapshot does not mention', async () => {
    bed = new Bed();
    await turns();
    const [first] = bed.agents;
    await first!.ask(add('a'), [10]);
    await first!.ask(add('b'), [11]);
    await first!.ask({ kind: 'snapshotSent' });
    first!.end();
    await turns();
    expect(bed.states).to.deep.equal(['synced', 'lost']);
    expect(bed.uids).to.deep.equal(['a Up', 'b Up']);
    const second = bed.agents[1]!;
    await second.ask({ kind: 'keep', uid: 'b' });
    expect(bed.uids).to.deep.equal(['a Up', 'b Up']);
    await second.ask({ kind: 'snapshotSent' });
    expect(bed.uids).to.deep.equal(['b Up']);
    expect(bed.states).to.deep.equal(['synced', 'lost', 'synced']);
  });

  it('forgets pending pods when it connects anew', async () => {
    bed = new Bed();
    bed.failing.add('a');
    await turns();
    await bed.agents[0]!.ask(add('a'), [10]);
    bed.agents[0]!.end();
    await turns();
    expect(bed.uids).to.deep.equal([]);
  });

  it('answers an unreadable packet, closes its descriptors, and dials again after a pause', async () => {
    bed = new Bed();
    await turns();
    expect(await bed.agents[0]!.ask(Uint8Array.of(0xff), [])).to.match(/failure to read message/);
    await turns();
    expect([bed.agents[0]!.closed, bed.dialCount]).to.deep.equal([true, 1]);
    bed.clock.advance(10);
    await turns();
    expect(bed.dialCount).to.equal(2);
    expect(await bed.agents[1]!.ask({ kind: 'del', uid: 'a' }, [12])).to.match(/descriptor/);
    expect(bed.closedDescriptors).to.deep.equal([12]);
  });

  it('backs off from 10 ms, doubling up to 15 s, while the agent cannot be reached', async () => {
    bed = new Bed(Infinity);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 13; attempt++) {
      await turns();
      delays.push(bed.clock.nextTimerMs ?? -1);
      bed.clock.advance(delays.at(-1)!);
    }
    expect(delays.slice(0, 4)).to.deep.equal([10, 20, 40, 80]);
    expect(delays.at(-1)).to.equal(15_000);
  });

  it('keeps its pods and dials again after a pause when it cannot say hello', async () => {
    bed = new Bed();
    bed.deafDials.add(2);
    await turns();
    await bed.agents[0]!.ask(add('a'), [10]);
    await bed.agents[0]!.ask({ kind: 'snapshotSent' });
    bed.agents[0]!.end();
    await turns();
    expect([bed.dialCount, bed.agents[1]!.closed, bed.uids]).to.deep.equal([2, true, ['a Up']]);
    bed.clock.advance(10);
    await turns();
    expect(decodeHello(bed.agents[2]!.answers[0]!)).to.deep.equal({ kind: 'hello' });
    await bed.agents[2]!.ask({ kind: 'keep', uid: 'a' });
    await bed.agents[2]!.ask({ kind: 'snapshotSent' });
    expect(bed.states).to.deep.equal(['synced', 'lost', 'lost', 'synced']);
    expect(bed.uids).to.deep.equal(['a Up']);
  });

  it('keeps its pods and dials again when an answer cannot be sent', async () => {
    bed = new Bed();
    await turns();
    await bed.agents[0]!.ask(add('a'), [10]);
    bed.agents[0]!.deaf = true;
    void bed.agents[0]!.ask({ kind: 'snapshotSent' });
    await turns();
    expect([bed.agents[0]!.closed, bed.dialCount, bed.uids]).to.deep.equal([true, 2, ['a Up']]);
    expect(bed.states.at(-1)).to.equal('lost');
  });

  const broken: readonly [string, readonly ZdsRequest[]][] = [
    ['a second snapshot', [{ kind: 'snapshotSent' }]],
    ['a keep after the snapshot', [{ kind: 'keep', uid: 'a' }]],
  ];
  for (const [title, requests] of broken) {
    it(`answers ${title} with an error and gives up through the callback`, async () => {
      bed = new Bed();
      await turns();
      await bed.agents[0]!.ask({ kind: 'snapshotSent' });
      for (const request of requests) expect(await bed.agents[0]!.ask(request)).to.match(/failure to process message/);
      await bed.done;
      expect(bed.fatal.map(({ code }) => code)).to.deep.equal(['MESH-ZDS-001']);
      expect(bed.dialCount).to.equal(1);
    });
  }

  it('stops and closes its connection on the signal', async () => {
    bed = new Bed();
    await turns();
    bed.stop.abort();
    await bed.done;
    expect(bed.agents[0]!.closed).to.equal(true);
  });
});
