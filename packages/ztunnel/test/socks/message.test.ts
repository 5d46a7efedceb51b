import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { formatSocketAddress, ipFamily, ipToBytes, parseIp } from '@clearmesh/shared/model/ip-address';
import { greetingAnswer, readSocks, socksReply } from '../../src/socks/message.ts';
import type { SocksReading, SocksReply } from '../../src/socks/message.ts';

const greeting = [5, 1, 0];
const request = (type: number, address: readonly number[], port = 443): readonly number[] => [
  5,
  1,
  0,
  type,
  ...address,
  port >> 8,
  port & 255,
];
const named = (name: string): readonly number[] => request(3, [name.length, ...Buffer.from(name, 'latin1')]);
const read = (...bytes: readonly number[]): SocksReading => readSocks(Uint8Array.from(bytes));

function line(reading: SocksReading): string {
  switch (reading.kind) {
    case 'incomplete':
      return reading.greeted ? 'incomplete request' : 'incomplete greeting';
    case 'asked': {
      const { host, port } = reading.target;
      return `${typeof host === 'string' ? formatSocketAddress({ ip: host, port }) : `name ${host.name}:${port}`} after ${reading.length}`;
    }
    case 'refused':
      return `refused with ${reading.answer === undefined ? 'nothing' : Buffer.from(reading.answer).toString('hex')}`;
  }
}

const failure = 'refused with 05010001000000000000';
const cases: readonly [says: string, bytes: readonly number[], gives: string][] = [
  ['nothing yet', [], 'incomplete greeting'],
  ['a greeting in part', [5, 2, 1], 'incomplete greeting'],
  ['a greeting', greeting, 'incomplete request'],
  ['a greeting that offers more methods', [5, 3, 2, 1, 0], 'incomplete request'],
  ['an IPv4 address', [...greeting, ...request(1, [10, 0, 0, 2])], '10.0.0.2:443 after 13'],
  ['an IPv6 address', [...greeting, ...request(4, [0xfd, ...Array<number>(14).fill(0), 2])], '[fd00::2]:443 after 25'],
  [
    'an IPv4-mapped address',
    [...greeting, ...request(4, [...Array<number>(10).fill(0), 255, 255, 10, 0, 0, 2])],
    '10.0.0.2:443 after 25',
  ],
  ['a name', [...greeting, ...named('Ledger.Bank.')], 'name ledger.bank:443 after 22'],
  ['an address as a name', [...greeting, ...named('10.0.0.2')], '10.0.0.2:443 after 18'],
  ['a request and what is behind it', [...greeting, ...request(1, [10, 0, 0, 2]), 71, 69, 84], '10.0.0.2:443 after 13'],
  ['the first half of a name', [...greeting, ...named('ledger.bank').slice(0, 9)], 'incomplete request'],
  ['SOCKS4', [4, 1, 0, 80], 'refused with nothing'],
  ['HTTP', [...Buffer.from('GET / HTTP/1.1\r\n')], 'refused with nothing'],
  ['a greeting without methods', [5, 0], 'refused with 05ff'],
  ['a greeting that wants a password', [5, 1, 2], 'refused with 05ff'],
  ['another version in the request', [...greeting, 4], failure],
  ['BIND', [...greeting, 5, 2], 'refused with 05070001000000000000'],
  ['UDP ASSOCIATE', [...greeting, 5, 3], 'refused with 05070001000000000000'],
  ['a reserved byte that is not 0', [...greeting, 5, 1, 9], failure],
  ['an unknown type of address', [...greeting, 5, 1, 0, 2], 'refused with 05080001000000000000'],
  ['port 0', [...greeting, ...request(1, [10, 0, 0, 2], 0)], failure],
  ['an empty name', [...greeting, ...named('')], failure],
  ['a name with a space', [...greeting, ...named('led ger')], failure],
  ['a name with an empty label', [...greeting, ...named('ledger..bank')], failure],
  ['a name with bytes beyond ASCII', [...greeting, ...named('l\u{e9}dger')], failure],
];

describe('what a SOCKS5 client says', () => {
  for (const [says, bytes, gives] of cases) it(`reads ${says}`, () => expect(line(read(...bytes))).to.equal(gives));

  const anyIp = fc.oneof(fc.ipV4(), fc.ipV6()).map((text) => parseIp(text) ?? expect.fail(text));
  const label = fc.stringMatching(/^[a-z\d_-]{1,20}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 8 }).map((labels) => labels.join('.'));
  const port = fc.integer({ min: 1, max: 65_535 });
  const methods = fc.array(fc.nat(255), { maxLength: 254 }).map((others) => [5, others.length + 1, ...others, 0]);

  it('is read as it was meant, whatever else is offered and whatever follows', () => {
    fc.assert(
      fc.property(methods, fc.oneof(anyIp, name), port, fc.uint8Array({ maxLength: 20 }), (greeted, host, at, behind) => {
        const ip = parseIp(host);
        const address = ip === undefined ? [host.length, ...Buffer.from(host)] : [...ipToBytes(ip)];
        const type = ip === undefined ? 3 : ipFamily(ip) === 4 ? 1 : 4;
        const said = [...greeted, ...request(type, address, at)];
        const target = { host: ip ?? { name: host }, port: at };
        expect(read(...said, ...behind)).to.deep.equal({ kind: 'asked', target, length: said.length });
      }),
    );
  });

  it('is read alike in pieces and at once, never throws, and never goes on for 519 bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      // Beginnings that are right, so that what is behind them is read at all.
      fc.uint8Array({ maxLength: 600 }).map((rest) => Uint8Array.from([...greeting, 5, 1, 0, ...rest])),
      fc
        .tuple(fc.constantFrom(1, 3, 4), fc.uint8Array({ maxLength: 600 }))
        .map(([type, rest]) => Uint8Array.from([...greeting, 5, 1, 0, type, ...rest])),
    );
    fc.assert(
      fc.property(bytes, fc.nat(600), (all, cut) => {
        const whole = readSocks(all);
        const part = readSocks(all.subarray(0, cut));
        if (part.kind !== 'incomplete') expect(part).to.deep.equal(whole);
        else if (part.greeted) expect(whole).to.not.include({ greeted: false });
        if (all.length >= 519) expect(whole.kind).to.not.equal('incomplete');
        if (whole.kind === 'asked') expect(whole.length).to.be.at.most(519);
      }),
      { numRuns: 500 },
    );
  });
});

describe('what a SOCKS5 client is told', () => {
  it('is to go on without authentication', () => expect([...greetingAnswer]).to.deep.equal([5, 0]));

  const replies: readonly [SocksReply, number][] = [
    ['succeeded', 0],
    ['general failure', 1],
    ['not allowed', 2],
    ['host unreachable', 4],
    ['connection refused', 5],
    ['command not supported', 7],
    ['address type not supported', 8],
  ];
  for (const [reply, code] of replies)
    it(`is ${code} for ${reply}, with no address of the proxy`, () => {
      expect([...socksReply(reply)]).to.deep.equal([5, code, 0, 1, 0, 0, 0, 0, 0, 0]);
    });
});
