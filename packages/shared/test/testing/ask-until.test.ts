import { expect } from 'chai';
import { describe, it } from 'mocha';
import { askUntil, eventually } from '../../src/testing/ask-until.ts';

describe('asking until an answer is wanted', () => {
  const counter = (): (() => number) => {
    let asked = 0;
    return () => ++asked;
  };

  it('gives the first one that is', async () => {
    expect(await askUntil((answer) => answer === 3, counter())).to.equal(3);
  });

  it('gives the last one where none is in time, and at least one was asked for', async () => {
    expect(await askUntil(() => false, counter(), { limitMs: -1 })).to.equal(1);
  });

  it('ends with the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const ended = await askUntil(() => false, counter(), { pauseMs: 60_000, signal }).catch((error: Error) => error);
    expect(ended).to.be.instanceOf(Error).with.property('name', 'AbortError');
  });

  it('says what did not hold', async () => {
    const error = await eventually('the sky is green', () => false, { limitMs: -1 }).catch((thrown: Error) => thrown.message);
    expect(error).to.include('the sky is green');
    await eventually('the sky is blue', () => true);
  });
});
