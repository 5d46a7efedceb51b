import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { ip } from '@clearmesh/shared/testing/builders';
import { answers, readQuery, relayed, renumbered, writeAnswer, writeRefusal } from '../../src/dns/message.ts';
import { asQuery as query, question, readAnswer, upstreamAnswer, wireName } from './messages.ts';

describe('a DNS query', () => {
  it('is read with its name in lower case, type, class and number', () => {
    const { header, question: asked, edns } = query(question({ id: 0xbeef, name: 'Ledger.Bank', type: 28 }));
    expect(header).to.deep.equal({ id: 0xbeef, opcode: 0, recursionDesired: true, checkingDisabled: false });
    expect([asked.name, asked.type, asked.class, edns]).to.deep.equal(['ledger.bank', 28, 1, undefined]);
  });

  it('tells how much it takes, never less than 512 bytes', () => {
    expect([100, 512, 4096].map((edns) => query(question({ name: 'a', edns })).edns?.payload)).to.deep.equal([512, 512, 4096]);
  });

  it('tells the version of EDNS, and whether it wants signatures', () => {
    const cookie = Buffer.from([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(query(question({ name: 'a', edns: 1232 })).edns).to.deep.equal({
      payload: 1232,
      version: 0,
      dnssecOk: false,
    });
    const all = question({ name: 'a', edns: 1232, ednsVersion: 3, dnssecOk: true, ednsOptions: cookie });
    expect(query(all).edns).to.deep.equal({ payload: 1232, version: 3, dnssecOk: true });
  });

  const nameless: readonly [says: string, name: string][] = [
    ['the root', ''],
    ['a byte above ASCII', 'caf\u00e9.example'],
    ['a space', 'a b.example'],
  ];
  for (const [says, name] of nameless) {
    it(`has no hostname with ${says}`, () => expect(query(question({ name })).question.name).to.equal(undefined));
  }

  it('has no hostname with a dot within a label', () => {
    const message = question({ name: 'a-b.example' });
    message[14] = 0x2e;
    expect(query(message).question.name).to.equal(undefined);
  });

  const good = question({ name: 'ledger.bank', edns: 1232 });
  const changed = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] = value;
    return bytes;
  };
  const refused: readonly [says: string, message: Buffer, code: number][] = [
    ['an answer', changed(2, 0x81), 1],
    ['a status request', changed(2, 0x11), 4],
    ['a notification', changed(2, 0x21), 4],
    ['an update', changed(2, 0x29), 4],
    ['no question', changed(5, 0), 1],
    ['two questions', changed(5, 2), 1],
    ['a name that points elsewhere', changed(12, 0xc0), 1],
    ['a label of an unknown kind', changed(12, 0x40), 1],
    ['a name without end', good.subarray(0, 18), 1],
    ['a question without type', good.subarray(0, 26), 1],
    ['a record that is missing', changed(11, 2), 1],
    ['a record that is longer than the message', changed(good.length - 1, 9), 1],
    ['a second OPT', Buffer.concat([changed(11, 2), good.subarray(good.length - 11)]), 1],
    ['an OPT with a name', Buffer.concat([good.subarray(0, -11), Buffer.of(1, 97), good.subarray(-11)]), 1],
    ['an OPT among the answers', question({ name: 'a', edns: 1232 }).fill(1, 7, 8).fill(0, 11, 12), 1],
    ['an OPT among the authorities', question({ name: 'a', edns: 1232 }).fill(1, 9, 10).fill(0, 11, 12), 1],
    ['a name of 256 bytes', question({ name: [...Array<string>(4).fill('a'.repeat(61)), 'bcdefg'].join('.') }), 1],
  ];
  for (const [says, message, code] of refused) {
    it(`is refused with code ${code}: ${says}`, () => {
      expect(readQuery(message)).to.deep.include({ kind: 'refused', code });
    });
  }

  it('may have a name of 255 bytes', () => {
    const name = [...Array<string>(4).fill('a'.repeat(61)), 'bcdef'].join('.');
    expect(wireName(name)).to.have.lengthOf(255);
    expect(query(question({ name })).question.name).to.equal(name);
  });

  it('is nothing when it is shorter than a header', () => {
    expect(readQuery(good.subarray(0, 11))).to.deep.equal({ kind: 'nothing' });
  });

  it('is read or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(['query', 'refused', 'nothing']).to.include(readQuery(bytes).kind);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is read or refused, whatever is changed in a good one', () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        expect(['query', 'refused', 'nothing']).to.include(readQuery(changed(at, value).subarray(0, length)).kind);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a DNS answer', () => {
  const asked = query(question({ name: 'Ledger.bank', edns: 1232 }));

  it('echoes the name as it was asked, and tells addresses for 30 seconds', () => {
    const answer = writeAnswer(asked, { code: 0, addresses: [ip('10.0.0.1'), ip('fd00::1')] }, 4096);
    expect(readAnswer(answer)).to.deep.equal({
      id: 7,
      flags: 'qr aa rd ra',
      code: 0,
      answers: ['Ledger.bank A 10.0.0.1 30', 'Ledger.bank AAAA fd000000000000000000000000000001 30'],
      edns: 1232,
    });
  });

  it('tells an alias before the addresses of what it stands for', () => {
    const answer = writeAnswer(asked, { code: 0, alias: 'api.example.com', addresses: [ip('10.0.0.1')] }, 4096);
    expect(readAnswer(answer).answers).to.deep.equal(['Ledger.bank CNAME api.example.com 30', 'api.example.com A 10.0.0.1 30']);
  });

  it('has the DO bit of its query, and no options', () => {
    const ednsOptions = Buffer.from([0, 3, 0, 0]);
    const signed = query(question({ name: 'ledger.bank', edns: 1232, dnssecOk: true, ednsOptions }));
    const answer = writeAnswer(signed, { code: 0, addresses: [ip('10.0.0.1')] }, 4096);
    expect(readAnswer(answer)).to.deep.include({ edns: 1232, dnssecOk: true });
    expect(answer.subarray(-11)).to.deep.equal(Buffer.from([0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0x80, 0, 0, 0]));
  });

  it('has the upper part of its code in OPT, and version 0', () => {
    const newer = query(question({ name: 'ledger.bank', edns: 1232, ednsVersion: 1 }));
    const answer = readAnswer(writeAnswer(newer, { code: 16, addresses: [] }, 4096));
    expect(answer).to.deep.equal({ id: 7, flags: 'qr rd ra', code: 16, answers: [], edns: 1232 });
  });

  it('has no EDNS for who did not speak it, and is not authoritative when it fails', () => {
    const answer = writeAnswer(query(question({ name: 'a', flags: 0 })), { code: 2, addresses: [] }, 4096);
    expect(readAnswer(answer)).to.deep.equal({ id: 7, flags: 'qr ra', code: 2, answers: [] });
  });

  it('is cut to the limit at a whole record, and says so', () => {
    const addresses = Array.from({ length: 250 }, (_, index) => ip(`10.0.0.${index}`));
    fc.assert(
      fc.property(fc.integer({ min: 512, max: 4_500 }), (limit) => {
        const bytes = writeAnswer(asked, { code: 0, addresses }, limit);
        const answer = readAnswer(bytes);
        const isWhole = answer.answers.length === addresses.length;
        expect(bytes.length).to.be.at.most(limit);
        expect(answer.flags.includes('tc')).to.equal(!isWhole);
        expect(isWhole || bytes.length > limit - 16).to.equal(true);
        expect(answer.edns).to.equal(1232);
      }),
    );
  });

  it('is what was asked for any name and any addresses', () => {
    const label = fc.stringMatching(/^[!-\-/-~]{1,20}$/);
    const address = fc.tuple(fc.nat(255), fc.nat(255)).map(([high, low]) => ip(`10.1.${high}.${low}`));
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), fc.array(address, { maxLength: 20 }), (labels, addresses) => {
        const name = labels.join('.');
        const read = query(question({ name }));
        expect(read.question.name).to.equal(name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));
        const answer = readAnswer(writeAnswer(read, { code: 0, addresses }, 4096));
        expect(answer.answers).to.deep.equal(addresses.map((given) => `${name} A ${given} 30`));
      }),
    );
  });

  it('to what could not be read is a header alone', () => {
    const refusal = writeRefusal({ id: 9, opcode: 2, recursionDesired: true, checkingDisabled: false }, 4);
    expect([refusal.length, readAnswer(refusal)]).to.deep.equal([12, { id: 9, flags: 'qr rd', code: 4, answers: [] }]);
  });
});

describe('the answer of another resolver', () => {
  const message = question({ id: 0x1234, name: 'www.example.org' });
  const asked = query(message);
  const sent = renumbered(message, 0x4321);
  const good = upstreamAnswer(sent, { address: '9.9.9.9' });

  const cases: readonly [says: string, answer: Buffer, isOne: boolean][] = [
    ['with number and question', good, true],
    ['with the name in other letters', upstreamAnswer(renumbered(question({ name: 'WWW.example.org' }), 0x4321), {}), true],
    ['of another number', renumbered(good, 0x4322), false],
    ['to another name', upstreamAnswer(renumbered(question({ name: 'vvv.example.org' }), 0x4321), {}), false],
    ['to another type', upstreamAnswer(renumbered(question({ name: 'www.example.org', type: 28 }), 0x4321), {}), false],
    ['that is a question', sent, false],
    ['without question, a refusal', writeRefusalBy(0x4321, 5), true],
    ['without question, no refusal', writeRefusalBy(0x4321, 0), false],
    ['shorter than a header', good.subarray(0, 5), false],
  ];
  for (const [says, answer, isOne] of cases) {
    it(`is ${isOne ? '' : 'not '}one ${says}`, () => expect(answers(answer, asked, 0x4321)).to.equal(isOne));
  }

  it('goes on under the asker’s number, as it came but not authoritative', () => {
    expect(readAnswer(relayed(good, { ...asked, header: { ...asked.header, id: 0x1234 } }))).to.deep.equal({
      id: 0x1234,
      flags: 'qr ra',
      code: 0,
      answers: ['www.example.org A 9.9.9.9 77'],
    });
  });
});

function writeRefusalBy(id: number, code: number): Buffer {
  return Buffer.from(writeRefusal({ id, opcode: 0, recursionDesired: true, checkingDisabled: false }, code));
}
