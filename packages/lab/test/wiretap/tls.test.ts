import { expect } from 'chai';
import fc from 'fast-check';
import { before, describe, it } from 'mocha';
import { clientHelloOf, serverHelloOf } from '../../src/wiretap/tls-hello.ts';
import { groupName, versionName } from '../../src/wiretap/tls-names.ts';
import { parseTlsRecords } from '../../src/wiretap/tls-record.ts';
import { handshake } from './hellos.ts';
import type { Handshake } from './hellos.ts';

describe('TLS inspection', () => {
  let real: Handshake;
  before(async () => {
    const ecdhCurve = 'X25519MLKEM768:X25519:prime256v1';
    real = await handshake({
      client: { minVersion: 'TLSv1.3', ecdhCurve, ALPNProtocols: ['h2', 'http/1.1'] },
      server: { minVersion: 'TLSv1.3', ecdhCurve },
    });
  });

  it('reads what a real client offers', () => {
    const { keyShares, ...hello } = clientHelloOf(parseTlsRecords(real.toServer)!)!;
    expect(hello).to.deep.equal({
      versions: ['TLSv1.3'],
      groups: ['X25519MLKEM768', 'X25519', 'secp256r1'],
      alpn: ['h2', 'http/1.1'],
      sni: 'ledger',
    });
    expect(keyShares[0]).to.equal('X25519MLKEM768');
  });

  it('reads what a real server chose', () => {
    expect(serverHelloOf(parseTlsRecords(real.toClient)!)).to.deep.equal({
      version: 'TLSv1.3',
      group: 'X25519MLKEM768',
      isRetry: false,
    });
  });

  it('knows a HelloRetryRequest', async () => {
    const { toClient } = await handshake({ client: { ecdhCurve: 'X25519:secp521r1' }, server: { ecdhCurve: 'secp521r1' } });
    expect(serverHelloOf(parseTlsRecords(toClient)!)).to.deep.equal({ version: 'TLSv1.3', group: 'secp521r1', isRetry: true });
  });

  it('reads TLS 1.2, whose ServerHello names no group', async () => {
    const { toServer, toClient } = await handshake({ client: { maxVersion: 'TLSv1.2' } });
    expect(clientHelloOf(parseTlsRecords(toServer)!)!.versions).to.deep.equal(['TLSv1.2']);
    expect(serverHelloOf(parseTlsRecords(toClient)!)).to.deep.equal({ version: 'TLSv1.2', group: undefined, isRetry: false });
  });

  it('sees handshake records, then sealed ones', () => {
    const types = parseTlsRecords(real.toClient)!.map(({ type }) => type);
    expect(types[0]).to.equal('handshake');
    expect(types.at(-1)).to.equal('application-data');
  });

  it('reads a hello that spans two records', () => {
    const [first] = parseTlsRecords(real.toServer)!;
    const halves = [first!.body.subarray(0, 100), first!.body.subarray(100)];
    expect(clientHelloOf(halves.map((body) => ({ type: 'handshake', body })))).to.deep.equal(clientHelloOf([first!]));
    expect(clientHelloOf([{ type: 'handshake', body: halves[0]! }])).to.equal(undefined);
  });

  it('does not take one hello for the other', () => {
    expect(serverHelloOf(parseTlsRecords(real.toServer)!)).to.equal(undefined);
    expect(clientHelloOf(parseTlsRecords(real.toClient)!)).to.equal(undefined);
  });

  it('accepts a stream that was cut anywhere', () => {
    fc.assert(
      fc.property(fc.nat({ max: real.toServer.length }), (end) => {
        expect(parseTlsRecords(real.toServer.subarray(0, end))).to.not.equal(undefined);
      }),
    );
  });

  for (const [what, bytes] of [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['an unknown record type', Buffer.from([25, 3, 3, 0, 1, 0])],
    ['another major version', Buffer.from([22, 2, 0, 0, 1, 0])],
    ['a record above 2^14 + 2048 bytes', Buffer.from([23, 3, 3, 0x48, 0x01])],
    ['an empty handshake record', Buffer.from([22, 3, 3, 0, 0])],
    ['HTTP behind a record', Buffer.concat([Buffer.from([21, 3, 3, 0, 2, 1, 0]), Buffer.from('GET / HTTP/1.1\r\n')])],
  ] as const) {
    it(`does not take ${what} for TLS`, () => {
      expect(parseTlsRecords(bytes)).to.equal(undefined);
    });
  }

  it('refuses a ClientHello with bytes behind its extensions, and one without cipher suites', () => {
    const { body } = parseTlsRecords(real.toServer)![0]!;
    const longer = Buffer.concat([body, Buffer.alloc(1)]);
    longer.writeUIntBE(longer.length - 4, 1, 3);
    expect(clientHelloOf([{ type: 'handshake', body: longer }])).to.equal(undefined);
    const message = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32), Buffer.from([0, 0, 0, 1, 0])]);
    const suiteless = Buffer.concat([Buffer.from([1, 0, 0, message.length]), message]);
    expect(clientHelloOf([{ type: 'handshake', body: suiteless }])).to.equal(undefined);
  });

  it('never throws', () => {
    const inspect = (bytes: Uint8Array): void => {
      const records = parseTlsRecords(bytes) ?? [];
      clientHelloOf(records);
      serverHelloOf(records);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), inspect));
    fc.assert(
      fc.property(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 300 }), (type, body) => {
        const message = Buffer.concat([Buffer.from([type, 0, body.length >> 8, body.length & 0xff]), body]);
        const records = [{ type: 'handshake', body: message }] as const;
        clientHelloOf(records);
        serverHelloOf(records);
      }),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.nat(), fc.integer({ min: 0, max: 255 }), (isClient, at, value) => {
        const copy = Buffer.from(isClient ? real.toServer : real.toClient);
        copy[at % Math.min(copy.length, 400)] = value;
        inspect(copy);
      }),
    );
  });
});

describe('TLS names', () => {
  for (const [code, name] of [
    [0x11ec, 'X25519MLKEM768'],
    [0x001d, 'X25519'],
    [0x0a0a, 'GREASE'],
    [0xfafa, 'GREASE'],
    [0x0a1a, '0x0a1a'],
    [0x6399, '0x6399'],
  ] as const) {
    it(`names group ${code.toString(16)} ${name}`, () => {
      expect(groupName(code)).to.equal(name);
    });
  }

  it('names versions as Node does', () => {
    expect([0x0303, 0x0304, 0x7f1c].map(versionName)).to.deep.equal(['TLSv1.2', 'TLSv1.3', '0x7f1c']);
  });
});
