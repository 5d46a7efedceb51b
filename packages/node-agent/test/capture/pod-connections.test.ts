import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { readConnections } from '../../src/capture/pod-connections.ts';

const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const rest = '00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';
const line = (local: string, remote: string, state: string): string => `   0: ${local} ${remote} ${state} ${rest}`;

// 10.79.1.2 and 10.79.2.2, and the loopback address, as the kernel writes them.
const own = '02014F0A';
const far = '02024F0A';
const loopback = '0100007F';
const mapped = `${'0'.repeat(16)}FFFF0000`;

describe('readConnections', () => {
  it('names connections with others, and counts those that the proxy has accepted', () => {
    const text = [
      heading,
      line('00000000:1F90', '00000000:0000', '0A'),
      line(`${own}:1F90`, `${far}:C001`, '01'),
      line(`${own}:C002`, `${far}:01BB`, '02'),
      line(`${own}:1F90`, `${own}:C003`, '01'),
      line(`${loopback}:3A99`, `${own}:C004`, '08'),
      line(`${own}:3A9E`, `${far}:C005`, '01'),
      line(`${own}:3AA0`, `${far}:C006`, '06'),
      heading,
      line(`${mapped}${own}:3AA0`, `${mapped}${far}:C007`, '01'),
    ].join('\n');
    const { outside, direct, proxied } = readConnections(text);
    expect(outside).to.deep.equal([
      `${own}:1F90 ${far}:C001`,
      `${own}:C002 ${far}:01BB`,
      `${loopback}:3A99 ${own}:C004`,
      `${own}:3A9E ${far}:C005`,
      `${own}:3AA0 ${far}:C007`,
    ]);
    expect([direct, proxied]).to.deep.equal([[`${own}:1F90 ${far}:C001`], 3]);
  });

  it('tells what came directly from what the proxy has brought, whose both ends are in the pod', () => {
    const text = [
      line(`${'0'.repeat(32)}:1F90`, `${'0'.repeat(32)}:0000`, '0A'),
      line(`${far}:C001`, `${own}:1F90`, '01'),
      line(`${mapped}${own}:1F90`, `${mapped}${far}:C001`, '01'),
      line(`${mapped}${own}:1F90`, `${mapped}${far}:C002`, '01'),
    ].join('\n');
    expect(readConnections(text).direct).to.deep.equal([`${own}:1F90 ${far}:C002`]);
  });

  it('passes over whatever is no connection', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readConnections(text)).to.deep.equal({ outside: [], direct: [], proxied: 0 });
      }),
    );
  });
});
