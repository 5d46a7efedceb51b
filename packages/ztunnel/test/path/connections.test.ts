import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Drain } from '@clearmesh/shared/lifecycle/drain';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { ConnectionCut } from '../../src/path/connection-cut.ts';
import { Connections } from '../../src/path/connections.ts';

function bed(): { readonly clock: FakeClock; readonly drain: Drain; readonly connections: Connections } {
  const clock = new FakeClock();
  const drain = new Drain({ clock });
  return { clock, drain, connections: new Connections({ drain, clock }) };
}

const client = socketAddress('10.0.0.1:1000');

describe('Connections', () => {
  it('keeps a drain open until the last connection is over', async () => {
    const { drain, connections } = bed();
    const first = connections.open('outbound', client);
    drain.begin(5_000);
    first[Symbol.dispose]();
    expect(await drain.done).to.deep.equal({ forced: false, cut: [] });
  });

  it('cuts what is open at the deadline, and the drain names it', async () => {
    const { clock, drain, connections } = bed();
    const open = connections.open('inbound', client);
    drain.begin(5_000);
    expect(open.signal.aborted).to.equal(false);
    clock.advance(5_000);
    expect(open.signal.reason)
      .to.be.instanceOf(ConnectionCut)
      .and.include({ message: 'connection closed due to connection drain' });
    expect(await drain.done).to.deep.equal({ forced: true, cut: ['inbound 10.0.0.1:1000'] });
  });

  it('cuts a connection at once that comes after the drain was forced', () => {
    const { drain, connections } = bed();
    drain.force();
    expect(connections.open('outbound', client).signal.aborted).to.equal(true);
  });

  it('shows in the dump what is joined, by direction, until it is over', () => {
    const { connections } = bed();
    const open = connections.open('outbound', client);
    expect(connections.summaries('outbound')).to.deep.equal([]);
    open.joined({ originalDst: '10.96.0.1:80', actualDst: '10.0.0.2:15008', protocol: 'HBONE' });
    expect(connections.summaries('outbound')).to.deep.equal([
      { src: '10.0.0.1:1000', originalDst: '10.96.0.1:80', actualDst: '10.0.0.2:15008', protocol: 'HBONE' },
    ]);
    expect(connections.summaries('inbound')).to.deep.equal([]);
    open[Symbol.dispose]();
    expect([connections.summaries('outbound'), connections.size]).to.deep.equal([[], 0]);
  });
});
