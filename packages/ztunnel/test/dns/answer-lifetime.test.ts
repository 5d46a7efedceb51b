import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { aged, keyOf, lifetimeOf } from '../../src/dns/answer-lifetime.ts';
import { asQuery, question, readAnswer, recordsAnswer, soaData } from './messages.ts';
import type { AnswerRecord, AskedMessage } from './messages.ts';

const servers = [socketAddress('10.96.0.10:53')];
const message = question({ name: 'www.example.org' });
const query = asQuery(message);

const a = (ttl: number): AnswerRecord => ({ type: 1, ttl, data: Buffer.of(9, 9, 9, 9) });
const cname = (ttl: number): AnswerRecord => ({ type: 5, ttl, data: Buffer.of(0xc0, 16) });
const soa = (ttl: number, minimum: number): AnswerRecord => ({ type: 6, ttl, data: soaData(minimum), section: 'authority' });
const ns = (ttl: number): AnswerRecord => ({ type: 2, ttl, data: Buffer.of(0), section: 'authority' });
const glue = (ttl: number): AnswerRecord => ({ ...a(ttl), section: 'additional' });
/** Its lifetime is the upper part of the code, version and flags. */
const opt = (ttl: number): AnswerRecord => ({ type: 41, ttl, data: Buffer.alloc(0), section: 'additional' });

describe('an answer of another resolver', () => {
  type Case = readonly [says: string, flags: number, records: readonly AnswerRecord[], seconds: number | undefined];
  const cases: readonly Case[] = [
    ['is kept as long as it says', 0x8180, [a(77)], 77],
    ['is kept as long as its shortest record, whatever the section', 0x8180, [cname(300), a(60), ns(50), glue(40)], 40],
    ['is kept for an hour at most', 0x8180, [a(86_400)], 3_600],
    ['is not kept when a record has no lifetime', 0x8180, [a(60), a(0)], undefined],
    ['is not kept when the lifetime has its first bit set', 0x8180, [a(0x8000_0001)], undefined],
    ['does not live as long as an OPT record seems to', 0x8180, [a(60), opt(0)], 60],
    ['is kept with the DO bit', 0x8180, [a(60), opt(0x8000)], 60],
    ['is not kept when OPT has the upper part of a code', 0x8180, [a(60), opt(0x0100_0000)], undefined],
    ['is not kept when it is cut', 0x8380, [a(60)], undefined],
    ['is not kept when it is a failure', 0x8182, [], undefined],
    ['is not kept when it is a refusal', 0x8185, [soa(60, 60)], undefined],
    ['that the name is not there is kept as long as the zone says', 0x8183, [soa(3_600, 30)], 30],
    ['… or as long as that itself lives', 0x8183, [soa(20, 300)], 20],
    ['… and for five minutes at most', 0x8183, [soa(86_400, 86_400)], 300],
    ['… but not when the zone says nothing', 0x8183, [], undefined],
    ['… nor when it says so in too few bytes', 0x8183, [{ ...soa(60, 60), data: Buffer.alloc(21, 1) }], undefined],
    ['that there is no such record is kept as long as the zone says', 0x8180, [soa(3_600, 30)], 30],
    ['… also behind an alias', 0x8180, [cname(300), soa(3_600, 30)], 30],
    ['… but not when the zone says nothing', 0x8180, [cname(300)], undefined],
    ['that others know more is not kept', 0x8180, [ns(300), glue(300)], undefined],
  ];
  for (const [says, flags, records, seconds] of cases) {
    it(says, () => expect(lifetimeOf(recordsAnswer(message, flags, records), query)?.seconds).to.equal(seconds));
  }

  it('is not kept when a record is missing, or its question', () => {
    const whole = recordsAnswer(message, 0x8180, [a(77), opt(0)]);
    for (let length = 0; length < whole.length; length++)
      expect(lifetimeOf(whole.subarray(0, length), query)).to.equal(undefined);
    expect(lifetimeOf(whole.fill(0, 5, 6), query)).to.equal(undefined);
  });

  it('is told with what is left of the life of each record, and nothing else is changed', () => {
    const whole = recordsAnswer(message, 0x8180, [cname(7_200), a(100), opt(0x8000)]);
    const lifetime = lifetimeOf(whole, query)!;
    expect(readAnswer(aged(whole, lifetime, 30)).answers).to.deep.equal([
      'www.example.org CNAME example.org 70',
      'www.example.org A 9.9.9.9 70',
    ]);
    expect(aged(aged(whole, lifetime, 30), lifetime, 0).subarray(-11)).to.deep.equal(whole.subarray(-11));
    expect(readAnswer(whole).answers[1], 'the kept one').to.equal('www.example.org A 9.9.9.9 100');
  });

  it('has a lifetime or none, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(60), fc.nat(255), (bytes, at, value) => {
        lifetimeOf(bytes, query);
        const changed = recordsAnswer(message, 0x8180, [cname(7_200), a(100)]);
        changed[at] = value;
        const lifetime = lifetimeOf(changed, query);
        if (lifetime === undefined) return;
        expect(lifetime.seconds).to.be.within(1, 3_600);
        expect(aged(changed, lifetime, lifetime.seconds - 1)).to.have.lengthOf(changed.length);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the key of a question', () => {
  const keyed = (asked: Partial<AskedMessage>, at = servers): string | undefined =>
    keyOf(asQuery(question({ name: 'www.example.org', ...asked })), at);
  const plain = keyed({});

  const equal: readonly [says: string, asked: Partial<AskedMessage>, to: Partial<AskedMessage>][] = [
    ['another number', { id: 99 }, {}],
    ['other letters', { name: 'WWW.Example.org' }, {}],
    ['another size of datagrams', { edns: 1_232 }, { edns: 4_096 }],
  ];
  for (const [says, asked, to] of equal) it(`is the same with ${says}`, () => expect(keyed(asked)).to.equal(keyed(to)));

  const different: readonly [says: string, asked: Partial<AskedMessage>, to: Partial<AskedMessage>][] = [
    ['another name', { name: 'ww.example.org' }, {}],
    ['a name of other labels', { name: 'www-example.org' }, {}],
    ['another type', { type: 28 }, {}],
    ['another class', { class: 3 }, {}],
    ['no recursion desired', { flags: 0 }, {}],
    ['checking disabled', { flags: 0x0110 }, {}],
    ['word of authenticity asked for', { flags: 0x0120 }, {}],
    ['EDNS', { edns: 1_232 }, {}],
    ['the DO bit', { edns: 1_232, dnssecOk: true }, { edns: 1_232 }],
  ];
  for (const [says, asked, to] of different)
    it(`is another one with ${says}`, () => expect(keyed(asked)).not.to.equal(keyed(to)));

  it('is another one for other servers, or in another order', () => {
    const [one, two] = ['10.9.9.9:53', '10.96.0.10:53'].map(socketAddress);
    const keys = [[one!], [two!], [one!, two!], [two!, one!]].map((at) => keyed({}, at));
    expect(new Set(keys).size).to.equal(4);
    expect(keys[1]).to.equal(plain);
  });

  it('is none with options of EDNS, with other records, and for types that only questions have', () => {
    const none: readonly Partial<AskedMessage>[] = [{ edns: 1_232, ednsOptions: Buffer.alloc(4) }, { type: 252 }, { type: 255 }];
    expect(none.map((asked) => keyed(asked))).to.deep.equal([undefined, undefined, undefined]);
    const signed = Buffer.concat([message, Buffer.from([0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0])]).fill(1, 11, 12);
    expect(keyOf(asQuery(signed), servers)).to.equal(undefined);
  });
});
