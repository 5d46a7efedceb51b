import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { countConnections } from '../../src/capture/pod-connections.ts';

const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const rest = '00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0';
const line = (local: string, remote: string, state: string): string => `   0: ${local} ${remote} ${state} ${rest}`;

// 10.79.1.2 and 10.79.2.2, and the loopback address, as the kernel writes them.
const own = '02014F0A';
const far = '02024F0A';
const loopback = '0100007F';

describe('countConnections', () => {
  it('counts connections with others, and those that the proxy has accepted', () => {
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
      line(`${'0'.repeat(16)}FFFF0000${own}:3AA0`, `${'0'.repeat(16)}FFFF0000${far}:C007`, '01'),
    ].join('\n');
    expect(countConnections(text)).to.deep.equal({ outside: 5, proxied: 3 });
  });

  it('passes over whatever is no connection', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { outside, proxied } = countConnections(text);
        expect([outside, proxied]).to.deep.equal([0, 0]);
      }),
    );
  });
});
