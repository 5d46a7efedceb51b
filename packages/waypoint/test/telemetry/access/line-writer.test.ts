import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { descriptorSink, LineWriter } from '../../../src/telemetry/access/line-writer.ts';
import type { LineWriterOptions } from '../../../src/telemetry/access/line-writer.ts';

/** A descriptor whose writes end when a test says so. */
class Fixture {
  readonly clock = new FakeClock();
  readonly written: string[] = [];
  readonly writer: LineWriter;
  #done: ((error: NodeJS.ErrnoException | null, written: number) => void) | undefined;
  #turn: (() => void) | undefined;

  constructor(options: LineWriterOptions = {}) {
    this.writer = new LineWriter(options, {
      clock: this.clock,
      afterTurn: (task) => (this.#turn = task),
      sink: (bytes, done) => {
        this.written.push(bytes.toString());
        this.#done = done;
      },
    });
  }

  endTurn(): void {
    this.#turn?.();
  }

  endWrite(error: NodeJS.ErrnoException | null, written = 0): void {
    this.#done?.(error, written);
  }
}

describe('LineWriter', () => {
  it('writes the lines of one turn at once', () => {
    const fixture = new Fixture();
    fixture.writer.write('a\n');
    fixture.writer.write('b\n');
    expect(fixture.written).to.deep.equal([]);
    fixture.endTurn();
    expect(fixture.written).to.deep.equal(['a\nb\n']);
  });

  it('has one write under way at a time, and keeps the order', async () => {
    const fixture = new Fixture();
    fixture.writer.write('a\n');
    fixture.endTurn();
    fixture.writer.write('b\n');
    fixture.writer.write('c\n');
    expect(fixture.written).to.deep.equal(['a\n']);
    fixture.endWrite(null, 2);
    expect(fixture.written).to.deep.equal(['a\n', 'b\nc\n']);
    fixture.endWrite(null, 4);
    await fixture.writer.flushed;
  });

  it('goes on after a partial write', () => {
    const fixture = new Fixture();
    fixture.writer.write('abcdef\n');
    fixture.endTurn();
    fixture.endWrite(null, 3);
    expect(fixture.written).to.deep.equal(['abcdef\n', 'def\n']);
  });

  it('tries again when the pipe is full', () => {
    const fixture = new Fixture();
    fixture.writer.write('a\n');
    fixture.endTurn();
    fixture.endWrite(Object.assign(new Error('again'), { code: 'EAGAIN' }));
    expect(fixture.written).to.have.length(1);
    fixture.clock.advance(10);
    expect(fixture.written).to.deep.equal(['a\n', 'a\n']);
  });

  it('goes on with the next lines after an error', () => {
    const fixture = new Fixture();
    fixture.writer.write('a\n');
    fixture.endTurn();
    fixture.writer.write('b\n');
    fixture.endWrite(Object.assign(new Error('gone'), { code: 'EPIPE' }));
    expect(fixture.written).to.deep.equal(['a\n', 'b\n']);
  });

  it('refuses lines beyond its bound, and takes them again once something was written', () => {
    const fixture = new Fixture({ maxBytes: 10 });
    expect(fixture.writer.write('12345678\n')).to.equal(true);
    expect(fixture.writer.write('ab\n')).to.equal(false);
    fixture.endTurn();
    expect(fixture.writer.write('ab\n')).to.equal(false);
    fixture.endWrite(null, 9);
    expect(fixture.writer.write('ab\n')).to.equal(true);
  });

  it('writes every line to a real file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'clearmesh-lines-'));
    const file = join(directory, 'access.log');
    const descriptor = openSync(file, 'w');
    const writer = new LineWriter({}, { sink: descriptorSink(descriptor), clock: systemClock });
    for (let i = 0; i < 1_000; i++) {
      writer.write(`line ${i}\n`);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.flushed;
    closeSync(descriptor);
    expect(readFileSync(file, 'utf8').split('\n')).to.have.length(1_001);
    rmSync(directory, { recursive: true });
  });
});
