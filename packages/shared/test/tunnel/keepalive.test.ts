import { FakeClock } from '../../src/testing/fake-clock.ts';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Keepalive } from '../../src/tunnel/keepalive.ts';

function bed(): { clock: FakeClock; events: string[]; keepalive: Keepalive } {
  const clock = new FakeClock();
  const events: string[] = [];
  const note = (what: string) => (): void => void events.push(`${what} ${clock.monotonicMs()}`);
  const keepalive = new Keepalive(
    { intervalMs: 10_000, timeoutMs: 20_000 },
    { clock, ping: note('ping'), onTimeout: note('timeout') },
  );
  return { clock, events, keepalive };
}

describe('Keepalive', () => {
  it('pings after 10 s and 10 s after each answer', () => {
    const { clock, events, keepalive } = bed();
    clock.advance(10_000);
    clock.advance(3_000);
    keepalive.recvPong();
    clock.advance(10_000);
    expect(events).to.deep.equal(['ping 10000', 'ping 23000']);
  });

  it('gives up 20 s after a ping without an answer, once', () => {
    const { clock, events } = bed();
    clock.advance(100_000);
    expect(events).to.deep.equal(['ping 10000', 'timeout 30000']);
    expect(clock.pendingTimers).to.equal(0);
  });

  it('passes over answers to nothing', () => {
    const { clock, events, keepalive } = bed();
    keepalive.recvPong();
    clock.advance(10_000);
    keepalive.recvPong();
    keepalive.recvPong();
    expect(clock.pendingTimers).to.equal(1);
    expect(events).to.deep.equal(['ping 10000']);
  });

  it('does nothing any more once stopped', () => {
    const { clock, events, keepalive } = bed();
    keepalive.stop();
    keepalive.stop();
    clock.advance(100_000);
    expect(events).to.deep.equal([]);
    expect(clock.pendingTimers).to.equal(0);
  });
});
