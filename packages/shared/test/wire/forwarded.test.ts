import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { formatForwarded, parseForwarded } from '@clearmesh/shared/wire/forwarded';
import type { Forwarded } from '@clearmesh/shared/wire/forwarded';
import { ipAddress, port } from '../arbitraries.ts';
import seen from '../vectors/seen.json' with { type: 'json' };

/** The value of one header among name, value, name, value … */
function header(raw: readonly string[], name: string): string {
  return raw[raw.indexOf(name) + 1] ?? '';
}

describe('forwarded (RFC 7239)', () => {
  const recorded: readonly (readonly [headers: readonly string[], forwarded: Forwarded])[] = [
    [seen.directHeaders, { client: socketAddress('10.98.0.1:36148') }],
    [seen.ipv6Headers, { client: socketAddress('[fd98::1]:47226') }],
    [seen.hostnameHeaders, { client: socketAddress('10.98.0.1:54166'), host: 'cross.bank.svc.cluster.local' }],
  ];
  for (const [headers, forwarded] of recorded) {
    const text = header(headers, 'forwarded');
    it(`${text} is read and written as upstream does`, () => {
      expect(parseForwarded(text)).to.deep.equal(forwarded);
      expect(
        formatForwarded({ client: forwarded.client!, ...(forwarded.host === undefined ? {} : { host: forwarded.host }) }),
      ).to.equal(text);
    });
  }

  const texts: readonly (readonly [text: string, forwarded: Forwarded])[] = [
    ['For="10.0.0.1:80"', { client: socketAddress('10.0.0.1:80') }],
    ['for=10.0.0.1', {}],
    ['for="_hidden"', {}],
    ['for=unknown;host=a.b', { host: 'a.b' }],
    ['proto=https; host="a.b:80" ;by=1.2.3.4', { host: 'a.b:80' }],
    ['host="a\\"b"', { host: 'a"b' }],
    ['for="10.0.0.1:80", for="10.0.0.2:80"', { client: socketAddress('10.0.0.1:80') }],
    ['for="10.0.0.1:70000"', {}],
    ['for="10.0.0.1:80";host=', { client: socketAddress('10.0.0.1:80') }],
    ['for="10.0.0.1:80', {}],
    ['', {}],
    [';', {}],
    ['for', {}],
  ];
  for (const [text, forwarded] of texts) {
    it(`${JSON.stringify(text)} yields ${JSON.stringify(forwarded)}`, () =>
      expect(parseForwarded(text)).to.deep.equal(forwarded));
  }

  it('reads what it writes', () => {
    const host = fc.option(fc.domain(), { nil: undefined });
    fc.assert(
      fc.property(ipAddress, port, host, (address, at, asked) => {
        const forwarded = { client: { ip: address, port: at }, ...(asked === undefined ? {} : { host: asked }) };
        expect(parseForwarded(formatForwarded(forwarded))).to.deep.equal(forwarded);
      }),
    );
  });

  it('reads a host of any text as it was written', () => {
    const client = socketAddress('10.0.0.1:80');
    for (const asked of ['a;for=1.2.3.4:5', 'a b', 'a"b\\', 'a,b', '[::1]:80'])
      expect(parseForwarded(formatForwarded({ client, host: asked }))).to.deep.equal({ client, host: asked });
  });

  it('never throws on any text', () => {
    const shaped = fc
      .array(fc.constantFrom('for=', 'host=', '"', ';', ',', '\\', 'a', '10.0.0.1:80', ' '))
      .map((parts) => parts.join(''));
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), shaped), (text) => void parseForwarded(text)));
  });
});
