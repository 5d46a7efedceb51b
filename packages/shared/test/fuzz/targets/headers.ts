/** The header fields of a CONNECT, as text of bytes, as a header field comes. */
import { isDeepStrictEqual } from 'node:util';
import { formatSocketAddress, ipToBytes, parseIp } from '@clearmesh/shared/model/ip-address';
import { socketAddress, workload } from '@clearmesh/shared/testing/builders';
import type { Draw } from '@clearmesh/shared/testing/draw';
import { parseAuthority } from '@clearmesh/shared/wire/authority';
import { formatBaggage, parseBaggage } from '@clearmesh/shared/wire/baggage';
import { formatForwarded, parseForwarded } from '@clearmesh/shared/wire/forwarded';
import { formatTraceparent, parseTraceparent } from '@clearmesh/shared/wire/traceparent';
import { must } from '../target.ts';
import type { FuzzTarget } from '../target.ts';

/** A field of any text: header values are bytes, and a few inputs are read as UTF-8 all the same. */
function textOf(input: Uint8Array): string {
  return Buffer.from(input).toString((input[0] ?? 0) === 0xef ? 'utf8' : 'latin1');
}

const lines = (...texts: readonly string[]): readonly Uint8Array[] => texts.map((text) => Buffer.from(text, 'latin1'));

function runBaggage(input: Uint8Array): string {
  const facts = parseBaggage(textOf(input).split('\n'));
  for (const [name, value] of Object.entries(facts)) must(value !== '', () => `${name} is empty, which counts as absent`);
  const { region = '', zone = '', ...rest } = facts;
  const again = parseBaggage([
    formatBaggage(
      workload({
        clusterId: '',
        namespace: '',
        canonicalName: '',
        canonicalRevision: '',
        workloadName: '',
        workloadType: 'POD',
        ...rest,
        locality: { region, zone, subzone: '' },
      }),
    ),
  ]);
  const wellFormed = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, value.toWellFormed()]));
  must(isDeepStrictEqual(again, wellFormed), () => `${JSON.stringify(facts)} came back as ${JSON.stringify(again)}`);
  return Object.keys(facts).sort().join(' ');
}

export const baggage: FuzzTarget = {
  name: 'baggage',
  corpus: (draw) => [
    ...lines(
      'k8s.cluster.name=Kubernetes,k8s.namespace.name=bank,k8s.deployment.name=pay,service.name=pay,service.version=v1',
      'k8s.pod.name=a%20b;prop=1, cloud.region = r ,cloud.availability_zone=%zz',
      'k8s.job.name=%F0%9F%98%80\nservice.name=x=y',
    ),
    Buffer.from('\ufeffservice.name=ü😀'),
    ...Array.from({ length: 8 }, () => Buffer.from(formatBaggage(workload({ name: 'ä,;= %'.repeat(draw.int(1, 9)) })), 'latin1')),
  ],
  run: runBaggage,
};

function runForwarded(input: Uint8Array): string {
  const read = parseForwarded(textOf(input));
  const { client, host } = read;
  if (client === undefined) return host === undefined ? 'nothing' : 'host';
  checkAddress(formatSocketAddress(client));
  const again = parseForwarded(formatForwarded(host === undefined ? { client } : { client, host }));
  must(isDeepStrictEqual(again, read), () => `${JSON.stringify(read)} came back as ${JSON.stringify(again)}`);
  return host === undefined ? 'client' : 'client and host';
}

export const forwarded: FuzzTarget = {
  name: 'forwarded',
  corpus: () => [
    ...lines(
      'for=10.0.0.1:80',
      'for="[fd00::1]:443";host=server.bank.svc',
      'for=unknown, for=10.0.0.1:1',
      'for="_x";by=a;proto=http',
    ),
    ...lines('FOR="10.0.0.1:\\80" ; host="a\\"b"', 'for="[::ffff:10.0.0.1]:1"'),
    ...lines(formatForwarded({ client: socketAddress('[fd00::7]:65535'), host: 'ledger.bank.svc.cluster.local' })),
  ],
  run: runForwarded,
};

function runAuthority(input: Uint8Array): string {
  const read = parseAuthority(textOf(input));
  if (read === undefined) return 'nothing';
  const text = read.kind === 'ip' ? formatSocketAddress(read.address) : `${read.hostname}:${read.port}`;
  if (read.kind === 'ip') checkAddress(text);
  const again = parseAuthority(text);
  must(isDeepStrictEqual(again, read), () => `${JSON.stringify(read)} came back as ${JSON.stringify(again)}`);
  return read.kind;
}

/** An address is in its canonical form, and its bytes are those of its text. */
function checkAddress(text: string): void {
  const { ip, port } = socketAddress(text);
  must(port >= 0 && port <= 65_535, () => `${text} has no port`);
  must([4, 16].includes(ipToBytes(ip).length) && parseIp(ip) === ip, () => `${ip} is not canonical`);
}

export const authority: FuzzTarget = {
  name: 'authority',
  corpus: () => [
    ...lines('10.0.0.1:80', '[fd00::1]:15008', '[::ffff:10.0.0.1]:1', 'ledger.bank.svc.cluster.local:8080', 'user@Host:0'),
    ...lines('[::1%eth0]:1', '0x7f.1:80', '1.2.3.4', '[::]:65535', '[1:2:3:4:5:6:7.8.9.10]:9'),
  ],
  run: runAuthority,
};

function runTraceparent(input: Uint8Array): string {
  const read = parseTraceparent(textOf(input));
  if (read === undefined) return 'nothing';
  const again = parseTraceparent(formatTraceparent(read));
  must(isDeepStrictEqual(again, read), () => `${JSON.stringify(read)} came back as ${JSON.stringify(again)}`);
  return `flags ${read.flags & 1}`;
}

export const traceparent: FuzzTarget = {
  name: 'traceparent',
  corpus: (draw: Draw) =>
    Array.from({ length: 12 }, () => {
      const digits = (length: number): string => Array.from({ length }, () => draw.int(0, 15).toString(16)).join('');
      const version = draw.pick(['00', '01', 'fe', 'ff']);
      return Buffer.from(`${version}-${digits(32)}-${digits(16)}-${digits(2)}${version === '00' ? '' : '-more'}`);
    }),
  run: runTraceparent,
};
