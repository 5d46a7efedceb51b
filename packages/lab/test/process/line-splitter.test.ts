import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { LineSplitter } from '../../src/process/line-splitter.ts';

function split(chunks: readonly Uint8Array[]): string[] {
  const splitter = new LineSplitter();
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

describe('LineSplitter', () => {
  it('gives the lines however the bytes are cut', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n\uD800-\uDFFF]/gu, '_'));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat({ max: 200 })), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(split(chunks)).to.deep.equal(lines);
      }),
    );
  });

  it('drops carriage returns and keeps the last line without an end', () => {
    expect(split([Buffer.from('one\r\ntwo')])).to.deep.equal(['one', 'two']);
  });

  it('cuts a line that never ends', () => {
    const splitter = new LineSplitter();
    const lines = splitter.push(Buffer.alloc(200 * 1024, 0x61));
    expect(lines.map(({ length }) => length)).to.deep.equal([65536, 65536, 65536]);
    expect(splitter.end()[0]).to.have.length(200 * 1024 - 3 * 65536);
  });
});
