import { Writable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Slabs, slabBytes } from '../../src/http2/outbox.ts';
import { GatheredWrites } from '../../src/tunnel/gathered-writes.ts';

const record = 16 * 1024;

/** Counts what is out. */
class CountedSlabs extends Slabs {
  out = 0;

  override take(): Buffer {
    this.out += 1;
    return super.take();
  }

  override give(slab: Buffer): void {
    this.out -= 1;
    super.give(slab);
  }
}

class Taker extends Writable {
  readonly writes: Buffer[] = [];
  /** Done with a write; while it is set, writes wait. */
  held: (() => void)[] | undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.writes.push(Buffer.from(chunk));
    if (this.held === undefined) callback();
    else this.held.push(callback);
  }

  get lengths(): number[] {
    return this.writes.map(({ length }) => length);
  }
}

function rig(): { slabs: CountedSlabs; gathered: GatheredWrites; to: Taker } {
  const slabs = new CountedSlabs();
  return { slabs, gathered: new GatheredWrites(slabs), to: new Taker({ highWaterMark: 64 * 1024 }) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('gathered writes', () => {
  it('give a lone answer at once', () => {
    const { gathered, to, slabs } = rig();
    expect(gathered.write(to, Buffer.alloc(100))).to.equal(true);
    expect([to.lengths, slabs.out]).to.deep.equal([[100], 0]);
  });

  it('join the records of one read', async () => {
    const { gathered, to, slabs } = rig();
    for (const length of [record - 9, record, record, record]) gathered.write(to, Buffer.alloc(length));
    expect(to.lengths).to.deep.equal([4 * record - 9]);
    await turn();
    expect(slabs.out).to.equal(0);
  });

  it('give what was kept when the turn of the loop ends', async () => {
    const { gathered, to, slabs } = rig();
    gathered.write(to, Buffer.alloc(record));
    expect([to.lengths, slabs.out]).to.deep.equal([[], 1]);
    await turn();
    expect([to.lengths, slabs.out]).to.deep.equal([[record], 0]);
  });

  it('give what was kept together with the piece that ends a burst', () => {
    const { gathered, to } = rig();
    gathered.write(to, Buffer.alloc(record));
    gathered.write(to, Buffer.alloc(5));
    expect(to.lengths).to.deep.equal([record + 5]);
  });

  it('keep a piece that fills a slab to its last byte', () => {
    const { gathered, to } = rig();
    gathered.write(to, Buffer.alloc(slabBytes));
    expect(to.lengths).to.deep.equal([slabBytes]);
  });

  it('ask for patience once the socket wants some, and hold no slab when it has written', () => {
    const { gathered, to, slabs } = rig();
    to.held = [];
    const answers = Array.from({ length: 8 }, () => gathered.write(to, Buffer.alloc(record)));
    expect(answers).to.deep.equal([true, true, true, false, false, false, false, false]);
    expect(slabs.out).to.equal(2);
    while (to.held.length > 0) to.held.shift()!();
    expect([to.lengths, slabs.out]).to.deep.equal([[4 * record, 4 * record], 0]);
  });

  it('let go of what a socket that is gone was to get', async () => {
    const { gathered, to, slabs } = rig();
    gathered.write(to, Buffer.alloc(record));
    to.destroy();
    await turn();
    expect([to.lengths, slabs.out]).to.deep.equal([[], 0]);
  });

  it('keep every byte of every socket in order, whatever the sizes and the turns', async () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: record - 70, max: record }), fc.constant(60_000));
    const step = fc.record({ socket: fc.integer({ min: 0, max: 2 }), size, endsTurn: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { gathered, slabs } = rig();
        const sockets = [new Taker(), new Taker(), new Taker()];
        const expected: Buffer[][] = [[], [], []];
        // One buffer for all, as reads have it.
        const borrowed = Buffer.alloc(64 * 1024);
        for (const [index, { socket, size: length, endsTurn }] of steps.entries()) {
          borrowed.fill(index + 1);
          expected[socket]!.push(Buffer.alloc(length, index + 1));
          gathered.write(sockets[socket]!, borrowed.subarray(0, length));
          if (endsTurn) await turn();
        }
        gathered.flush();
        await turn();
        for (const [index, to] of sockets.entries())
          expect(Buffer.concat(to.writes).equals(Buffer.concat(expected[index]!))).to.equal(true);
        expect(slabs.out).to.equal(0);
      }),
      { numRuns: 60 },
    );
  });
});
