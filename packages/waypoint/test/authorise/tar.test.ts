import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { readTar } from '../../src/authorise/tar.ts';

type Format = 'ustar' | 'pax' | 'gnu';

/** What the machine's own tar makes of these files. */
function archive(files: Readonly<Record<string, string>>, format: Format): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'waypoint-tar-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), text);
    }
    return execFileSync('tar', [`--format=${format}`, '-cf', '-', '.'], { cwd: directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function contents(bytes: Uint8Array): Readonly<Record<string, string>> | string {
  const reading = readTar(bytes);
  if (reading.kind === 'malformed') return reading.reason;
  return Object.fromEntries(reading.files.map(({ name, bytes }) => [name.replace(/^\.\//, ''), Buffer.from(bytes).toString()]));
}

const files = { 'data.json': '{}', 'a/b/c.txt': 'x'.repeat(1_000), empty: '', full: 'y'.repeat(512) };
const longName = `${'n'.repeat(90)}/${'m'.repeat(90)}/${'o'.repeat(80)}.json`;

describe('a tar archive', () => {
  for (const format of ['ustar', 'pax', 'gnu'] as const) {
    it(`gives its files when written as ${format}`, () => expect(contents(archive(files, format))).to.deep.equal(files));
  }
  for (const format of ['pax', 'gnu'] as const) {
    it(`gives long names when written as ${format}`, () =>
      expect(contents(archive({ [longName]: '1' }, format))).to.deep.equal({ [longName]: '1' }));
  }

  it('has a bound on its files', () => {
    const reading = readTar(archive(files, 'ustar'), { maxFiles: 3 });
    expect(reading).to.deep.equal({ kind: 'malformed', reason: 'the archive has more than 3 files' });
  });

  it('is malformed wherever it is cut off, or holds what was not cut off', () => {
    const whole = archive(files, 'ustar');
    for (let length = 0; length < whole.length; length += 256) {
      const reading = contents(whole.subarray(0, length));
      if (typeof reading !== 'string')
        for (const [name, text] of Object.entries(reading)) expect(files).to.have.property(name, text);
    }
  });

  it('is malformed or not, but never throws, when bits flip', () => {
    const whole = archive(files, 'pax');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const flipped = Buffer.from(whole);
        flipped[at] = byte;
        expect(['files', 'malformed']).to.include(readTar(flipped).kind);
      }),
      { numRuns: 500 },
    );
  });

  it('never throws for any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2_048 }), (bytes) => void readTar(bytes)));
  });
});
