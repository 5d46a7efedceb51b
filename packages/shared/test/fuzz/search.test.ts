import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Draw } from '@clearmesh/shared/testing/draw';
import { maxInput, mutate } from './mutate.ts';
import { shrink } from './shrink.ts';
import { targets } from './targets/all.ts';

describe('the search for inputs that break decoders', () => {
  it('leaves of an input what breaks, and nothing else', () => {
    const input = Buffer.from('before \xff after \x80 and more', 'latin1');
    expect([...shrink(input, (bytes) => bytes.includes(0xff) && bytes.includes(0x80))]).to.deep.equal([0xff, 0x80]);
  });

  it('makes bytes zero that need not be what they are', () => {
    expect([...shrink(Buffer.from('abcdef'), (bytes) => bytes.length >= 3)]).to.deep.equal([0, 0, 0]);
  });

  it('gives up after so many tries, with what it has', () => {
    let tries = 0;
    const fails = (): boolean => {
      tries += 1;
      return false;
    };
    const input = Buffer.alloc(1000, 1);
    expect(shrink(input, fails, { maxTries: 20 })).to.equal(input);
    expect(tries).to.equal(20);
  });

  it('changes any bytes, of no length too, and makes none too long', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.nat(), (input, other, seed) => {
        const before = Buffer.from(input);
        expect(mutate(input, other, new Draw(seed, 0)).length).to.be.at.most(maxInput);
        expect(before.equals(input)).to.equal(true);
      }),
    );
  });

  it('draws the same inputs for the same seed', () => {
    const made = (): string => Buffer.from(mutate(Buffer.from('abc'), Buffer.from('def'), new Draw(7, 1))).toString('hex');
    expect(made()).to.equal(made());
  });

  for (const { name, corpus, run } of targets) {
    it(`finds what our own encoders make for ${name} right, and what ends early harmless`, () => {
      for (const input of corpus(new Draw(1, 0))) {
        expect(run(input)).to.be.a('string');
        for (const end of [0, 1, 2, input.length - 1]) expect(run(input.subarray(0, end))).to.be.a('string');
      }
    });
  }
});
