import { expect } from 'chai';
import { describe, it } from 'mocha';
import { LogLines } from '../../src/up/log-lines.ts';

const never = new AbortController().signal;
const asks = (message: string) => (fields: Readonly<Record<string, unknown>>) => fields['message'] === message;

describe('LogLines', () => {
  it('finds a line that came before the question, from the mark on', async () => {
    const log = new LogLines();
    log.recvLine('{"message":"a","n":1}');
    const { mark } = log;
    log.recvLine('{"message":"a","n":2}');
    expect((await log.find(0, asks('a'), never)).fields['n']).to.equal(1);
    expect((await log.find(mark, asks('a'), never)).fields['n']).to.equal(2);
  });

  it('waits for a line that is still to come', async () => {
    const log = new LogLines();
    const found = log.find(log.mark, asks('b'), never);
    log.recvLine('{"message":"a"}');
    log.recvLine('{"message":"b","n":3}');
    expect((await found).fields['n']).to.equal(3);
  });

  it('rejects with the reason of the signal', async () => {
    const stop = new AbortController();
    const found = new LogLines().find(0, asks('x'), stop.signal).catch((reason: unknown) => reason);
    stop.abort('enough');
    expect(await found).to.equal('enough');
  });

  it('keeps text that is no JSON object as a message', () => {
    const log = new LogLines();
    for (const text of ['TypeError: x', '12', 'null', '{"half":']) log.recvLine(text);
    expect(log.since(0).map(({ fields }) => fields['message'])).to.deep.equal(['TypeError: x', '12', 'null', '{"half":']);
  });

  it('keeps no more than its capacity, the newest last', () => {
    const log = new LogLines({ capacity: 10 });
    for (let n = 0; n < 1000; n++) log.recvLine(`{"n":${n}}`);
    expect(log.since(0).length).to.be.within(5, 10);
    expect(log.since(0).at(-1)).to.deep.equal({ sequence: 999, fields: { n: 999 } });
  });
});
