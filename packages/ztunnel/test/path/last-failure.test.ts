import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { LastFailure } from '../../src/path/last-failure.ts';

describe('LastFailure', () => {
  it('keeps the last one with its time, and counts all', () => {
    const clock = new FakeClock();
    const failures = new LastFailure({ clock });
    expect([failures.current, failures.count]).to.deep.equal([undefined, 0]);
    failures.recvFailure({ direction: 'inbound', error: 'first' });
    clock.advance(1_000);
    failures.recvFailure({ direction: 'outbound', error: 'second' });
    expect(failures.current).to.deep.equal({ direction: 'outbound', error: 'second', atMs: clock.now() });
    expect(failures.count).to.equal(2);
  });
});
