import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts';
import { HpackEncoder } from '../../src/http2/hpack-encoder.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** `a: b` of each field. */
function lines(decoder: HpackDecoder, block: Buffer): readonly string[] | string {
  const decoded = decoder.decode(block);
  if (decoded.kind === 'broken') return `broken: ${decoded.detail}`;
  if (decoded.kind === 'too-large') return decoded.kind;
  return decoded.fields.flatMap((text, i) => (i % 2 === 0 ? [`${text}: ${decoded.fields[i + 1] ?? ''}`] : []));
}

const requests = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
];

const [date1, date2] = ['Mon, 21 Oct 2013 20:13:21 GMT', 'Mon, 21 Oct 2013 20:13:22 GMT'];
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const responses = [
  [':status: 302', 'cache-control: private', `date: ${date1}`, 'location: https://www.example.com'],
  [':status: 307', 'cache-control: private', `date: ${date1}`, 'location: https://www.example.com'],
  [
    ':status: 200',
    'cache-control: private',
    `date: ${date2}`,
    'location: https://www.example.com',
    'content-encoding: gzip',
    `set-cookie: ${cookie}`,
  ],
];

const plainCookie = Buffer.from(cookie).toString('hex');

describe('header blocks of RFC 7541 appendix C', () => {
  for (const [section, tableBytes, blocks, expected] of [
    ['C.2.1', 4096, ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'], [['custom-key: custom-header']]],
    ['C.2.2', 4096, ['040c 2f73 616d 706c 652f 7061 7468'], [[':path: /sample/path']]],
    ['C.2.3', 4096, ['1008 7061 7373 776f 7264 0673 6563 7265 74'], [['password: secret']]],
    ['C.2.4', 4096, ['82'], [[':method: GET']]],
    [
      'C.3',
      4096,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      requests,
    ],
    [
      'C.4',
      4096,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      requests,
    ],
    [
      'C.5',
      256,
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 ${plainCookie}`,
      ],
      responses,
    ],
    [
      'C.6',
      256,
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
      responses,
    ],
  ] as const) {
    it(`are read as they are meant: ${section}`, () => {
      const decoder = new HpackDecoder({ maxListBytes: 4096, maxTableBytes: tableBytes });
      expect(blocks.map((block) => lines(decoder, hex(block)))).to.deep.equal(expected);
    });
  }

  it('are written as in C.3, but for fields that never come again', () => {
    const encoder = new HpackEncoder({ unique: new Set(['x']) });
    const fields = (texts: readonly string[]) => texts.flatMap((text) => text.split(/(?<=.): /));
    expect(encoder.encode(fields(requests[0] ?? [])).toString('hex')).to.equal(
      hex('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d').toString('hex'),
    );
    expect(encoder.encode(fields(requests[1] ?? [])).toString('hex')).to.equal(
      hex('8286 84be 5808 6e6f 2d63 6163 6865').toString('hex'),
    );
    expect(encoder.encode(['x', 'y']).toString('hex')).to.equal('0001780179');
  });
});

describe('HpackDecoder', () => {
  const decode = (block: string) => lines(new HpackDecoder({ maxListBytes: 200, maxFields: 4 }), hex(block));

  for (const [what, block, detail] of [
    ['a table larger than allowed (section 4.2)', '3fe2 1f', 'broken: a table of 4097 bytes, of 4096 allowed'],
    [
      'a table that changes in the middle of a block (section 4.2)',
      '82 20',
      'broken: the table changes its size in the middle of a block',
    ],
    ['index zero (section 6.1)', '80', 'broken: there is no field 0'],
    ['an index beyond the tables (section 2.3.3)', 'be', 'broken: there is no field 62'],
    ['an integer without an end (section 5.1)', 'ff ffff ffff ffff ffff ffff', 'broken: an integer is too large'],
    ['an integer of zeros without an end (section 5.1)', 'ff 8080 8080 8080 8080 8080 80', 'broken: an integer is too large'],
    ['a string that goes on after its block', '00 05 61', 'broken: a string goes on after the end of its block'],
    ['a field that goes on after its block', '40', 'broken: a field goes on after the end of its block'],
    ['EOS in a string (section 5.2)', '00 84 ffff ffff 00', 'broken: a string is no Huffman code'],
    ['padding of eight ones (section 5.2)', '00 82 1fff 00', 'broken: a string is no Huffman code'],
    ['padding of zeros (section 5.2)', '00 81 18 00', 'broken: a string is no Huffman code'],
  ] as const) {
    it(`takes ${what} for an error`, () => expect(decode(block)).to.equal(detail));
  }

  it('reads a list that is too long to its end, so that the table stays right (D4)', () => {
    const decoder = new HpackDecoder({ maxListBytes: 200, maxFields: 4 });
    const long = `00 01 61 7f 80 01 ${'62'.repeat(255)}`;
    expect(lines(decoder, hex(`${long} 40 01 63 01 64`))).to.equal('too-large');
    expect(lines(decoder, hex('be'))).to.deep.equal(['c: d']);
  });

  it('counts fields, however short', () => expect(decode('82 82 82 82 82')).to.equal('too-large'));

  it('drops the oldest of a table that becomes smaller (section 4.3)', () => {
    const decoder = new HpackDecoder({ maxListBytes: 200 });
    expect(lines(decoder, hex('40 01 61 01 62 40 01 63 01 64'))).to.deep.equal(['a: b', 'c: d']);
    expect(lines(decoder, hex('3f 0f be'))).to.deep.equal(['c: d']);
    expect(lines(decoder, hex('bf'))).to.equal('broken: there is no field 63');
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder({ maxListBytes: 200 });
        for (const block of blocks) decoder.decode(Buffer.from(block));
      }),
      { numRuns: 2000 },
    );
  });
});

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
const value = fc.stringMatching(/^[\x21-\x7e]{0,60}$/);

describe('HpackEncoder', () => {
  it('is understood by the decoder, block after block, with tables of any size', () => {
    const list = fc.array(fc.tuple(name, value), { maxLength: 8 });
    const blocks = fc.array(fc.tuple(list, fc.option(fc.nat(300), { nil: undefined })), { maxLength: 12 });
    fc.assert(
      fc.property(blocks, fc.uniqueArray(name), (each, unique) => {
        const encoder = new HpackEncoder({ unique: new Set(unique) });
        const decoder = new HpackDecoder({ maxListBytes: 65_536 });
        for (const [fields, tableSize] of each) {
          if (tableSize !== undefined) encoder.recvTableSize(tableSize);
          expect(decoder.decode(encoder.encode(fields.flat()))).to.deep.equal({ kind: 'fields', fields: fields.flat() });
        }
      }),
    );
  });

  it('announces the smallest and the last size of its table (section 4.2)', () => {
    const encoder = new HpackEncoder();
    encoder.recvTableSize(10);
    encoder.recvTableSize(20);
    expect(encoder.encode([':method', 'GET']).toString('hex')).to.equal('2a3482');
    expect(encoder.encode([':method', 'GET']).toString('hex')).to.equal('82');
  });
});
