import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Conversation } from '../../src/path/conversation.ts';
import type { DrainPhase } from '../../src/path/conversation.ts';

type Said = readonly [who: 'client' | 'server', atMs: number];

/** Silence after which the connection may be ended, in each phase. */
function rests(...said: readonly Said[]): readonly number[] {
  const conversation = new Conversation(0, 1_000);
  for (const [who, atMs] of said) conversation.recv(who, atMs);
  return (['early', 'late', 'last'] satisfies DrainPhase[]).map((phase) => conversation.restMs(phase));
}

describe('a conversation in a drain', () => {
  it('is left alone while a question waits', () => {
    expect(rests(['client', 10])).to.deep.equal([Infinity, Infinity, Infinity]);
    expect(rests(['server', 10], ['client', 20])).to.deep.equal([Infinity, Infinity, Infinity]);
  });

  it('is left alone at first when nothing is heard: a question may be older than the drain', () => {
    expect(rests()).to.deep.equal([Infinity, Infinity, 1_000]);
  });

  it('is over after an answer: soon in the second half, when idle in the first', () => {
    expect(rests(['client', 10], ['server', 12])).to.deep.equal([1_000, 5, 5]);
  });

  it('is over early in the pause in which its client usually thinks', () => {
    expect(rests(['server', 10], ['client', 50], ['server', 52])).to.deep.equal([1_000, 10, 10]);
    expect(rests(['server', 10], ['client', 50], ['server', 52], ['client', 72], ['server', 73])[1]).to.equal(5);
    expect(rests(['server', 10], ['client', 11], ['server', 12])[1]).to.equal(2);
  });

  it('is not over in a pause of an answer', () => {
    expect(rests(['server', 10], ['server', 110])[1]).to.equal(200);
    expect(rests(['server', 10], ['server', 5_010])[1]).to.equal(1_000);
  });
});
