import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { isStatic } from '../../src/system/images.ts';

/** An ELF file of program headers of these types. */
function elf(types: readonly number[]): Buffer {
  const program = Buffer.alloc(64 + 56 * types.length);
  program.writeUInt32BE(0x7f454c46);
  program.writeBigUInt64LE(64n, 32);
  program.writeUInt16LE(56, 54);
  program.writeUInt16LE(types.length, 56);
  for (const [index, type] of types.entries()) program.writeUInt32LE(type, 64 + 56 * index);
  return program;
}

describe('isStatic', () => {
  it('tells a program without an interpreter from one with', () => {
    expect(isStatic(elf([1, 1, 4]))).to.equal(true);
    expect(isStatic(elf([6, 3, 1]))).to.equal(false);
  });

  it('finds the interpreter of the program that runs this test', () => {
    expect(isStatic(readFileSync(process.execPath))).to.equal(false);
  });

  it('takes nothing else for a program', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const isElf = Buffer.from(bytes)
          .subarray(0, 4)
          .equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46]));
        return isElf || !isStatic(Buffer.from(bytes));
      }),
    );
  });

  it('reads no byte behind the end of a damaged one', () => {
    const whole = elf([1, 3]);
    fc.assert(
      fc.property(
        fc.nat(whole.length - 1),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat(0xffff),
        (length, offset, size) => {
          const damaged = Buffer.from(whole.subarray(0, length));
          if (length >= 58) {
            damaged.writeBigUInt64LE(offset, 32);
            damaged.writeUInt16LE(size, 54);
          }
          expect(() => isStatic(damaged)).not.to.throw();
        },
      ),
    );
  });
});
