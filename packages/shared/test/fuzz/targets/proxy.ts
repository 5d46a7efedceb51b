/**
 * PROXY protocol v2, which we write and never read: a reader of its own takes the header apart, and must find the facts it was
 * made of. The input says which: family, addresses, ports, identity.
 */
import { isDeepStrictEqual } from 'node:util';
import { spiffeId } from '@clearmesh/shared/identity/spiffe';
import type { SpiffeId } from '@clearmesh/shared/identity/spiffe';
import { ipFamily, ipFromBytes } from '@clearmesh/shared/model/ip-address';
import type { IpAddress } from '@clearmesh/shared/model/ip-address';
import { proxyHeader } from '@clearmesh/shared/wire/proxy-header';
import type { ProxyHeaderFacts } from '@clearmesh/shared/wire/proxy-header';
import { must } from '../target.ts';
import type { FuzzTarget } from '../target.ts';
import { randomBytes } from '../mutate.ts';

const factBytes = 37;

function factsOf(input: Uint8Array): ProxyHeaderFacts {
  const bytes = Buffer.concat([input, Buffer.alloc(factBytes)]);
  const wide = bytes[0] ?? 0;
  const name = Buffer.from(input.subarray(factBytes, factBytes + 300))
    .toString('utf8')
    .replaceAll(/[^\w.-]/g, '-');
  return {
    source: { ip: address(bytes.subarray(1, 17), (wide & 1) === 1), port: bytes.readUInt16BE(33) },
    destination: { ip: address(bytes.subarray(17, 33), (wide & 2) === 2), port: bytes.readUInt16BE(35) },
    ...(name === '' ? {} : { identity: spiffeId({ trustDomain: 'cluster.local', namespace: 'bank', serviceAccount: name }) }),
  };
}

function address(bytes: Uint8Array, wide: boolean): IpAddress {
  const ip = ipFromBytes(wide ? bytes : bytes.subarray(0, 4));
  if (ip === undefined) throw new Error('4 or 16 bytes are an address');
  return ip;
}

/** What a reader of the specification gets (proxy-protocol.txt section 2.2); addresses of unlike families were written as IPv6. */
function read(header: Buffer): ProxyHeaderFacts {
  must(header.subarray(0, 12).toString('hex') === '0d0a0d0a000d0a515549540a', () => 'the signature is wrong');
  must(header[12] === 0x21, () => 'version and command are wrong');
  must(
    header.readUInt16BE(14) === header.length - 16,
    () => `a length of ${header.readUInt16BE(14)} for ${header.length - 16} bytes`,
  );
  const width = header[13] === 0x21 ? 16 : 4;
  must(header[13] === 0x11 || header[13] === 0x21, () => `family ${header[13]}`);
  const [source, destination, ports] = [16, 16 + width, 16 + 2 * width];
  const tlv = header.subarray(ports + 4);
  if (tlv.length > 0) must(tlv[0] === 0xd0 && tlv.readUInt16BE(1) === tlv.length - 3, () => 'the TLV is wrong');
  return {
    source: { ip: address(header.subarray(source, source + 16), width === 16), port: header.readUInt16BE(ports) },
    destination: {
      ip: address(header.subarray(destination, destination + 16), width === 16),
      port: header.readUInt16BE(ports + 2),
    },
    ...(tlv.length > 0 ? { identity: tlv.subarray(3).toString() as SpiffeId } : {}),
  };
}

function run(input: Uint8Array): string {
  const facts = factsOf(input);
  const header = proxyHeader(facts);
  const found = read(header);
  must(isDeepStrictEqual(found, facts), () => `${JSON.stringify(facts)} came back as ${JSON.stringify(found)}`);
  return `${ipFamily(facts.source.ip)} ${ipFamily(facts.destination.ip)} ${facts.identity === undefined ? '' : 'identity'}`;
}

export const proxy: FuzzTarget = {
  name: 'proxy',
  corpus: (draw) => [
    ...Array.from({ length: 8 }, (_, wide) => Buffer.concat([Buffer.from([wide]), randomBytes(draw, 36 + (wide > 3 ? 12 : 0))])),
    Buffer.from(`03${'00'.repeat(10)}ffff0a000001${'00'.repeat(15)}010050ffff`, 'hex'),
  ],
  run,
};
