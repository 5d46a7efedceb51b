import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Outbox } from '../../src/discovery/outbox.ts';

describe('Outbox', () => {
  it('gives values in order, those sent later too, until it is closed', async () => {
    const outbox = new Outbox<number>(10);
    outbox.send(1);
    const read = (async () => {
      const values: number[] = [];
      for await (const value of outbox) values.push(value);
      return values;
    })();
    await Promise.resolve();
    outbox.send(2);
    outbox.send(3);
    outbox.close();
    expect(await read).to.deep.equal([1, 2, 3]);
  });

  it('takes no more than its limit', () => {
    const outbox = new Outbox<number>(2);
    expect([outbox.send(1), outbox.send(2), outbox.send(3)]).to.deep.equal([true, true, false]);
  });
});
