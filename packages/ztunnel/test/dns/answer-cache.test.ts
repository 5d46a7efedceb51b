import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { AnswerCache } from '../../src/dns/answer-cache.ts';
import { asQuery, question, readAnswer, recordsAnswer } from './messages.ts';

const message = question({ name: 'www.example.org' });
const query = asQuery(message);
const answerFor = (ttl: number, records = 1): Buffer =>
  recordsAnswer(
    message,
    0x8180,
    Array.from({ length: records }, () => ({ type: 1, ttl, data: Buffer.of(9, 9, 9, 9) })),
  );

describe('answers kept for a pod', () => {
  let clock: FakeClock;
  let cache: AnswerCache;
  const told = (key: string, limit = 512): readonly string[] | undefined => {
    const answer = cache.recall(key, limit);
    return answer === undefined ? undefined : readAnswer(answer).answers;
  };

  beforeEach(() => {
    clock = new FakeClock();
    cache = new AnswerCache({ maxEntries: 3 }, { clock });
  });

  it('are told with less and less to live, and then no longer', () => {
    cache.keep('a', query, answerFor(30));
    expect(told('a')).to.deep.equal(['www.example.org A 9.9.9.9 30']);
    clock.advance(999);
    expect(told('a')).to.deep.equal(['www.example.org A 9.9.9.9 30']);
    clock.advance(28_001);
    expect(told('a')).to.deep.equal(['www.example.org A 9.9.9.9 1']);
    clock.advance(999);
    expect(told('a')).to.deep.equal(['www.example.org A 9.9.9.9 1']);
    clock.advance(1);
    expect(told('a')).to.equal(undefined);
    expect([cache.size, cache.bytes]).to.deep.equal([0, 0]);
  });

  it('make room in the order of last use', () => {
    for (const key of ['a', 'b', 'c']) cache.keep(key, query, answerFor(30));
    told('a');
    cache.keep('d', query, answerFor(30));
    expect(['a', 'b', 'c', 'd'].filter((key) => told(key) !== undefined)).to.deep.equal(['a', 'c', 'd']);
  });

  it('have so many bytes and no more', () => {
    cache = new AnswerCache({ maxEntries: 1_000, maxBytes: 10_000 }, { clock });
    for (let n = 0; n < 200; n++) {
      cache.keep(`name-${n}`, query, answerFor(30, 1 + (n % 20)));
      expect(cache.bytes).to.be.at.most(10_000);
    }
    expect(cache.size).to.be.within(10, 25);
    expect([told('name-0'), told('name-199', 4_096)?.length]).to.deep.equal([undefined, 20]);
    clock.advance(30_000);
    for (let n = 0; n < 200; n++) told(`name-${n}`);
    expect([cache.size, cache.bytes]).to.deep.equal([0, 0]);
  });

  it('are replaced by later ones', () => {
    cache.keep('a', query, answerFor(30));
    const { bytes } = cache;
    clock.advance(10_000);
    cache.keep('a', query, answerFor(60));
    expect([told('a'), cache.size, cache.bytes]).to.deep.equal([['www.example.org A 9.9.9.9 60'], 1, bytes]);
  });

  it('are not told to who takes less', () => {
    cache.keep('a', query, answerFor(30, 40));
    expect([told('a', 512), told('a', 4_096)?.length]).to.deep.equal([undefined, 40]);
  });

  it('are not those of more than 4,096 bytes, nor those that may not be kept', () => {
    cache.keep('a', query, answerFor(30, 300));
    cache.keep('b', query, answerFor(0));
    expect([cache.size, cache.bytes]).to.deep.equal([0, 0]);
  });

  it('are their own memory, which nobody else changes', () => {
    const answer = answerFor(30);
    cache.keep('a', query, answer);
    answer.fill(0);
    cache.recall('a', 512)!.fill(0);
    expect(told('a')).to.deep.equal(['www.example.org A 9.9.9.9 30']);
  });
});
