import { expect } from 'chai';
import { describe, it } from 'mocha';
import { UnreadBudget } from '../../src/http2/unread-budget.ts';
import type { Http2Stream } from '../../src/http2/stream.ts';
import { frame, DATA } from '../tunnel/raw-frames.ts';
import { ConnectionRig } from './rig.ts';

const WINDOW_UPDATE = 8;
const windows = { streamWindow: 100_000, connectionWindow: 100_000 };

/** A server with one stream, and what its peer sends there. */
function bed(unread: UnreadBudget): {
  readonly rig: ConnectionRig;
  readonly stream: Http2Stream;
  readonly send: (bytes: number) => void;
} {
  const rig = ConnectionRig.greeted({ role: 'server', ...windows }, {}, unread);
  const [opened] = rig.openedByPeer(1);
  rig.sent();
  return { rig, stream: opened!.stream, send: (bytes) => rig.recv(frame(DATA, 0, 1, Buffer.alloc(bytes))) };
}

/** What was given back of the connection's window since the last look. */
function given(rig: ConnectionRig): number {
  return rig
    .sent()
    .filter(({ type, stream }) => type === WINDOW_UPDATE && stream === 0)
    .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
}

describe('what readers leave unread', () => {
  it('holds up its stream alone while it is little in all', () => {
    const unread = new UnreadBudget(1_000_000);
    const { rig, send } = bed(unread);
    for (let i = 0; i < 4; i++) send(15_000);
    expect([given(rig), unread.held]).to.deep.equal([60_000, 60_000]);
  });

  it('holds up its connection beyond the limit, until it is read', () => {
    const unread = new UnreadBudget(20_000);
    const { rig, stream, send } = bed(unread);
    for (let i = 0; i < 6; i++) send(15_000);
    // The first two came while there was room.
    expect([given(rig), unread.held]).to.deep.equal([0, 90_000]);
    rig.connection.consume(stream, 60_000);
    expect([given(rig), unread.held]).to.deep.equal([90_000, 30_000]);
    rig.connection.consume(stream, 30_000);
    expect(unread.held).to.equal(0);
    send(15_000);
    send(15_000);
    send(15_000);
    send(15_000);
    rig.connection.consume(stream, 60_000);
    expect(given(rig)).to.equal(60_000);
  });

  it('is given back when nobody will read it any more', () => {
    const unread = new UnreadBudget(10_000);
    const { rig, stream, send } = bed(unread);
    for (let i = 0; i < 5; i++) send(15_000);
    expect(given(rig)).to.equal(0);
    rig.connection.release(stream);
    expect([given(rig), unread.held]).to.deep.equal([75_000, 0]);
    rig.connection.consume(stream, 75_000);
    expect([given(rig), unread.held]).to.deep.equal([0, 0]);
  });

  it('is of all connections together, and those that are read go on', () => {
    const unread = new UnreadBudget(50_000);
    const stalled = bed(unread);
    for (let i = 0; i < 4; i++) stalled.send(15_000);
    const lively = bed(unread);
    for (let i = 0; i < 40; i++) {
      lively.send(15_000);
      lively.rig.connection.consume(lively.stream, 15_000);
    }
    expect([given(lively.rig), unread.held]).to.deep.equal([600_000, 60_000]);
    expect(lively.rig.violation).to.equal(undefined);
  });

  it('does not count padding, and gives it back', () => {
    const unread = new UnreadBudget(1);
    const { rig, stream } = bed(unread);
    const padded = frame(DATA, 8, 1, Buffer.concat([Buffer.from([200]), Buffer.alloc(10_000), Buffer.alloc(200)]));
    for (let i = 0; i < 6; i++) rig.recv(padded);
    expect(unread.held).to.equal(60_000);
    rig.connection.consume(stream, 60_000);
    expect(given(rig)).to.equal(6 * 10_201);
  });
});
