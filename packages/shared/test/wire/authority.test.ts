import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { parseAuthority } from '@clearmesh/shared/wire/authority';
import type { Authority } from '@clearmesh/shared/wire/authority';
import { ipAddress, port } from '../arbitraries.ts';

const ip = (text: string): Authority => ({ kind: 'ip', address: socketAddress(text) });
const name = (hostname: string, at: number): Authority => ({ kind: 'hostname', hostname, port: at });

describe('the authority of a CONNECT', () => {
  // The comments tell the status that upstream was seen to answer.
  const cases: readonly (readonly [text: string, authority: Authority | undefined])[] = [
    ['10.98.0.2:8080', ip('10.98.0.2:8080')],
    ['10.98.0.2:0', ip('10.98.0.2:0')], // 503: it parses, and no such port can be dialled
    ['10.98.0.2:65535', ip('10.98.0.2:65535')],
    ['10.98.0.2:70000', undefined], // 400
    ['host:99999', undefined], // 400
    ['10.98.0.2:', undefined], // 400
    ['10.98.0.2', undefined],
    ['', undefined],
    [':80', undefined],
    ['a:b:c', undefined],
    ['x y:1', undefined],
    ['[fd98::3]:7777', ip('[fd98::3]:7777')],
    ['[FD98:0::3]:7777', ip('[fd98::3]:7777')],
    ['fd98::3:7777', undefined],
    ['[fd98::3]', undefined],
    ['[fd98::3:80', undefined],
    ['fd98::3]:80', undefined],
    ['[10.98.0.2]:80', undefined],
    ['[fe80::1%25eth0]:80', undefined],
    ['[::ffff:10.98.0.2]:8080', undefined], // 400: it is not the accepted address
    ['user@10.98.0.2:8080', name('user@10.98.0.2', 8080)], // 503: no service has this name
    ['ledger.bank.svc.cluster.local:80', name('ledger.bank.svc.cluster.local', 80)],
    ['Ledger.Bank:80', name('ledger.bank', 80)],
    ['10.98.0.300:80', name('10.98.0.300', 80)],
    ['host:+80', undefined],
    ['host:-1', undefined],
    ['host: 80', undefined],
    ['host:8e1', undefined],
    ['ho/st:80', undefined],
    ['http://host:80', undefined],
    ['host\n:80', undefined],
    ['höst:80', undefined],
    [`${'a'.repeat(256)}:80`, undefined],
  ];
  for (const [text, authority] of cases) {
    it(`${JSON.stringify(text.slice(0, 40))} is ${authority?.kind ?? 'refused'}`, () =>
      expect(parseAuthority(text)).to.deep.equal(authority));
  }

  it('reads what an address is written as', () => {
    fc.assert(
      fc.property(ipAddress, port, (address, at) => {
        const target = { ip: address, port: at };
        expect(parseAuthority(formatSocketAddress(target))).to.deep.equal({ kind: 'ip', address: target });
      }),
    );
  });

  it('never throws on any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `${text}:80`),
        ),
        (text) => void parseAuthority(text),
      ),
    );
  });
});
