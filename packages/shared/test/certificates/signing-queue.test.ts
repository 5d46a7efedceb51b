import { expect } from 'chai';
import { describe, it } from 'mocha';
import { SigningQueue } from '../../src/certificates/signing-queue.ts';
import type { SigningPriority, SigningTicket } from '../../src/certificates/signing-queue.ts';

type Bed = {
  started: string[];
  add(name: string, priority: SigningPriority, dueMs?: number): SigningTicket;
  finish(name: string): Promise<void>;
};

function bed(concurrency: number): Bed {
  const queue = new SigningQueue({ concurrency });
  const started: string[] = [];
  const running = new Map<string, () => void>();
  return {
    started,
    add: (name, priority, dueMs = 0) =>
      queue.add(priority, dueMs, () => {
        started.push(name);
        return new Promise((resolve) => running.set(name, resolve));
      }),
    finish: async (name) => {
      running.get(name)?.();
      await settled();
    },
  };
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('SigningQueue', () => {
  it('runs no more than its bound at once', async () => {
    const { started, add, finish } = bed(2);
    for (const name of ['a', 'b', 'c', 'd']) add(name, 'background');
    await settled();
    expect(started).to.deep.equal(['a', 'b']);
    await finish('b');
    expect(started).to.deep.equal(['a', 'b', 'c']);
  });

  it('runs eight at once unless told otherwise', async () => {
    const queue = new SigningQueue();
    let running = 0;
    for (let i = 0; i < 20; i++) {
      queue.add('background', 0, () => {
        running += 1;
        return new Promise(() => {});
      });
    }
    await settled();
    expect(running).to.equal(8);
  });

  it('prefers waiting connections to starting pods to renewals, then what is due first, then what came first', async () => {
    const { started, add, finish } = bed(1);
    add('late renewal', 'background', 9);
    add('renewal', 'background', 1);
    add('second pod', 'warmup', 5);
    add('first pod', 'warmup', 5);
    add('connection', 'real-time', 100);
    await settled();
    for (const name of ['connection', 'second pod', 'first pod', 'renewal']) await finish(name);
    expect(started).to.deep.equal(['connection', 'second pod', 'first pod', 'renewal', 'late renewal']);
  });

  it('moves a job up when a connection comes to wait for it, and never down', async () => {
    const { started, add, finish } = bed(1);
    add('running', 'real-time');
    await settled();
    add('pod', 'warmup');
    const ticket = add('renewal', 'background');
    ticket.bump('real-time');
    ticket.bump('background');
    await finish('running');
    expect(started).to.deep.equal(['running', 'renewal']);
  });

  it('forgets a job that was cancelled', async () => {
    const { started, add, finish } = bed(1);
    add('running', 'real-time');
    await settled();
    add('dropped', 'real-time').cancel();
    add('kept', 'background');
    await finish('running');
    expect(started).to.deep.equal(['running', 'kept']);
  });
});
