import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { SyscallError } from '../src/errno.ts';
import { decodeSockaddr, encodeSockaddr, familyOf } from '../src/inet-address.ts';

describe('sockaddr', () => {
  const vectors = [
    { ip: '10.96.0.7', port: 8080, hex: '02001f900a600007' + '00'.repeat(8) },
    { ip: 'fd00:1::2', port: 443, hex: '0a0001bb00000000fd00000100000000000000000000000200000000' },
    { ip: '::', port: 15001, hex: '0a003a9900000000' + '00'.repeat(16) + '00000000' },
  ];
  for (const { ip, port, hex } of vectors) {
    it(`of ${ip} port ${port} is ${hex}`, () => {
      expect(Buffer.from(encodeSockaddr({ ip, port })).toString('hex')).to.equal(hex);
      expect(decodeSockaddr(Buffer.from(hex, 'hex'))).to.deep.equal({ ip, port });
    });
  }

  const forms = [
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1::', '1::'],
  ] as const;
  for (const [written, canonical] of forms) {
    it(`reads ${written} back as ${canonical}`, () => {
      expect(decodeSockaddr(encodeSockaddr({ ip: written, port: 1 }))?.ip).to.equal(canonical);
    });
  }

  it('comes back whatever the address', () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(ip, fc.integer({ min: 0, max: 65_535 }), (written, port) => {
        const bytes = encodeSockaddr({ ip: written, port });
        const read = decodeSockaddr(bytes);
        expect(read?.port).to.equal(port);
        // An IPv4-mapped address changes its family on purpose; all others keep their bytes.
        if (familyOf(read?.ip ?? '') === familyOf(written)) {
          expect(encodeSockaddr({ ip: read?.ip ?? '', port })).to.deep.equal(bytes);
        }
      }),
    );
  });

  it('never throws on bytes the kernel would not write', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void decodeSockaddr(bytes)));
  });

  for (const text of ['', 'localhost', '10.0.0', '10.0.0.256', 'fe80::1%eth0', ':::']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => encodeSockaddr({ ip: text, port: 1 })).to.throw(SyscallError, 'EINVAL');
    });
  }
});
