import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { duplexPair } from 'node:stream';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { sniff, sniffStream } from '../../src/accept/sniff.ts';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

describe('sniff', () => {
  const table: readonly (readonly [bytes: string, protocol: string | undefined])[] = [
    ['GET / HTTP/1.1\r\n', 'HTTP/1.1'],
    ['M-SEARCH * HTTP/1.1\r\n', 'HTTP/1.1'],
    [preface, 'HTTP/2'],
    [`${preface}more`, 'HTTP/2'],
    ['PRI * HTTP/2.0', undefined],
    ['P', undefined],
    ['POST', undefined],
    ['PRO', undefined],
    ['PRI * HTTP/1.1', 'HTTP/1.1'],
    ['\x16\x03\x01', 'opaque'],
    ['get / HTTP/1.1', 'opaque'],
    [' GET', 'opaque'],
    ['*1\r\n$4\r\nPING\r\n', 'opaque'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'opaque'],
    ['', undefined],
  ];
  for (const [bytes, protocol] of table) {
    it(`takes ${JSON.stringify(bytes)} for ${protocol ?? 'too little to tell'}`, () => {
      expect(sniff(Buffer.from(bytes, 'latin1'))).to.equal(protocol);
    });
  }

  it('tells the same of any bytes, however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 64 }), (bytes) => {
        const whole = sniff(bytes);
        for (let length = 0; length <= bytes.length; length += 1) {
          const part = sniff(bytes.subarray(0, length));
          if (part !== undefined) expect(part).to.equal(whole);
        }
        expect(whole).to.not.equal(undefined);
      }),
    );
  });
});

describe('sniffStream', () => {
  it('puts back what it read', async () => {
    const [near, far] = duplexPair();
    near.write('GE');
    const found = sniffStream(far, {}, { clock: new FakeClock() });
    setImmediate(() => near.write('T / HTTP/1.1\r\n\r\n'));
    expect(await found).to.equal('HTTP/1.1');
    await new Promise((resolve) => setImmediate(resolve));
    expect(String(far.read())).to.equal('GET / HTTP/1.1\r\n\r\n');
  });

  it('counts a peer that says nothing as opaque after its time', async () => {
    const [, far] = duplexPair();
    const clock = new FakeClock();
    const found = sniffStream(far, { withinMs: 50 }, { clock });
    clock.advance(50);
    expect(await found).to.equal('opaque');
    expect(far.listenerCount('readable')).to.equal(0);
  });

  it('counts an end before enough bytes as opaque, and keeps the bytes', async () => {
    const [near, far] = duplexPair();
    near.end('PRI');
    expect(await sniffStream(far, {}, { clock: new FakeClock() })).to.equal('opaque');
    expect(String(far.read())).to.equal('PRI');
  });
});
