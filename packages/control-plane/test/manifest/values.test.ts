import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { parseBlock } from '@clearmesh/shared/model/address-block';
import { parsePermissiveUntil } from '../../src/manifest/permissive-until.ts';
import { parseDuration } from '../../src/manifest/duration.ts';
import { parseTime } from '../../src/manifest/time.ts';
import { parsePort } from '../../src/manifest/port.ts';
import { parseStringMatch } from '@clearmesh/shared/policy/string-match';

describe('parseBlock', () => {
  const good: readonly [string, readonly number[], number][] = [
    ['10.1.2.3', [10, 1, 2, 3], 32],
    ['10.0.0.0/8', [10, 0, 0, 0], 8],
    ['10.4.7.7/16', [10, 4, 7, 7], 16],
    ['0.0.0.0/0', [0, 0, 0, 0], 0],
    ['fd00:1::/32', [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 32],
    ['::ffff:10.0.0.0/104', [10, 0, 0, 0], 8],
    ['::ffff:10.0.0.1', [10, 0, 0, 1], 32],
  ];
  for (const [text, bytes, length] of good) {
    it(`reads ${text}, host bits kept`, () => {
      expect(parseBlock(text)).to.deep.equal({ bytes: Uint8Array.from(bytes), length });
    });
  }

  for (const text of [
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    'fd00::/129',
    '010.0.0.1',
    'bank',
    '::ffff:10.0.0.0/8',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseBlock(text)).to.equal(undefined);
    });
  }

  it('never throws, and its length fits its bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.ipV4(),
          fc.ipV6(),
          fc.tuple(fc.ipV4(), fc.nat(200)).map(([ip, n]) => `${ip}/${n}`),
        ),
        (text) => {
          const block = parseBlock(text);
          return block === undefined || (block.length >= 0 && block.length <= block.bytes.length * 8);
        },
      ),
    );
  });
});

describe('parsePort', () => {
  for (const [text, port] of [
    ['1', 1],
    ['80', 80],
    ['65535', 65_535],
  ] as const) {
    it(`reads ${text}`, () => {
      expect(parsePort(text)).to.equal(port);
    });
  }

  for (const text of ['', '0', '080', '65536', '-1', '8e1', '0x50', ' 80', 'http']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parsePort(text)).to.equal(undefined);
    });
  }
});

describe('parsePermissiveUntil', () => {
  it('counts a date to its last moment in UTC', () => {
    expect(parsePermissiveUntil('2027-03-31')).to.equal(Date.UTC(2027, 3, 1));
  });

  it('counts a time to the second, whatever its zone', () => {
    expect(parsePermissiveUntil('2027-03-31T18:00:00+02:00')).to.equal(Date.UTC(2027, 2, 31, 16));
  });

  for (const text of [
    '',
    '2027-02-31',
    '2027-13-01',
    '31.03.2027',
    '2027-03-31T25:00:00Z',
    '2027-3-1',
    'never',
    '2027-03-31 18:00',
    '+2027-03-31',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parsePermissiveUntil(text)).to.equal(undefined);
    });
  }
});

describe('parseStringMatch', () => {
  for (const [text, match] of [
    ['*', { kind: 'presence' }],
    ['x*', { kind: 'prefix', value: 'x' }],
    ['*x', { kind: 'suffix', value: 'x' }],
    ['x', { kind: 'exact', value: 'x' }],
  ] as const) {
    it(`reads ${text} as ${match.kind}`, () => {
      expect(parseStringMatch(text)).to.deep.equal(match);
    });
  }
});

describe('parseDuration', () => {
  const good: readonly [string, number][] = [
    ['0s', 0],
    ['250ms', 250],
    ['10s', 10_000],
    ['1h', 3_600_000],
    ['1h30m10s5ms', 5_410_005],
    ['10s1h', 3_610_000],
  ];
  for (const [text, ms] of good) {
    it(`reads ${text}`, () => {
      expect(parseDuration(text)).to.equal(ms);
    });
  }

  for (const text of ['', '10', 's', '1.5s', '-1s', '1d', '100000s', '1s 1m', '1s1s1s1s1s', '1µs']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseDuration(text)).to.equal(undefined);
    });
  }
});

describe('parseTime', () => {
  it('reads RFC 3339 with a zone', () => {
    expect(parseTime('2026-01-01T01:00:00+01:00')).to.equal(Date.UTC(2026, 0, 1));
    expect(parseTime('2026-01-01T00:00:00.5Z')).to.equal(Date.UTC(2026, 0, 1) + 500);
  });

  for (const text of ['', '2026-01-01', '2026-01-01T00:00:00', '2026-02-31T00:00:00Z', '2026-01-01T25:00:00Z', 'x']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseTime(text)).to.equal(undefined);
    });
  }

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => void [parseTime(text), parseDuration(text)]));
  });
});
