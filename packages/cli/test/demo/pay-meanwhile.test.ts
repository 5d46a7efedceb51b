import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { payMeanwhile } from '../../src/demo/pay-meanwhile.ts';
import type { Answer, World } from '../../src/demo/world.ts';

const never = new AbortController().signal;
/** Every wait is over at once. */
const clock = { after: (_ms: number, run: () => void) => (queueMicrotask(run), () => {}) } as unknown as Clock;
const booked: Answer = { status: 200, body: { pod: 'ledger-0' } };

describe('payMeanwhile', () => {
  it('pays until the change has ended, and counts what failed', async () => {
    const { promise: changed, resolve: end } = Promise.withResolvers<void>();
    let asked = 0;
    const ask: World['ask'] = () => {
      if (++asked === 5) end();
      return Promise.resolve(asked === 2 ? { status: 502, body: { error: 'ECONNRESET' } } : booked);
    };
    const { booked: count, failures } = await payMeanwhile({ ask, clock }, never, () => changed);
    expect(failures).to.deep.equal(['ECONNRESET']);
    expect(count + failures.length)
      .to.equal(asked)
      .and.to.be.at.least(5);
  });

  it('pays once at least', async () => {
    expect(await payMeanwhile({ ask: () => Promise.resolve(booked), clock }, never, () => Promise.resolve())).to.deep.equal({
      booked: 1,
      failures: [],
    });
  });

  it('fails with the change, and stops paying', async () => {
    let asked = 0;
    const ask: World['ask'] = () => {
      asked++;
      return Promise.resolve(booked);
    };
    const reason = await payMeanwhile({ ask, clock }, never, () => Promise.reject(new Error('no such Service'))).catch(String);
    const then = asked;
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect([reason, asked]).to.deep.equal(['Error: no such Service', then]);
  });
});
