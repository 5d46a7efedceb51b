import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { eventually } from '../../src/testing/ask-until.ts';
import { ADDRESS_TYPE_URL } from '../../src/wire/type-urls.ts';
import { serve } from './fake-control-plane.ts';
import { pod, resources, XdsBed } from './xds-bed.ts';

describe('XdsClient on demand (section 3.1)', () => {
  let bed: XdsBed;
  beforeEach(async () => {
    bed = await XdsBed.open();
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  const [a, b] = [pod('a'), pod('b')];

  it('subscribes to nothing, then to what is asked for, in one request for what gathers at a time', async () => {
    const control = await bed.plane(serve(() => resources([a, b])));
    const { client, store, answered, synced } = bed.start(control.url, { onDemand: true });
    await synced;
    expect([...store.current.workloads]).to.deep.equal([]);
    for (const name of [a.name, 'nobody', a.name]) client.ask(name);
    await eventually('the answers', () => answered.length === 2);
    expect([...store.current.workloads].map(({ name }) => name)).to.deep.equal(['a']);
    const asked = control.requests.map(({ request }) => request).filter(({ typeUrl }) => typeUrl === ADDRESS_TYPE_URL);
    expect([asked[0]?.resourceNamesSubscribe, asked[0]?.resourceNamesUnsubscribe]).to.deep.equal([['*'], ['*']]);
    expect(asked.slice(1).flatMap(({ resourceNamesSubscribe }) => resourceNamesSubscribe)).to.deep.equal([a.name, 'nobody']);
  });

  it('tells a new stream what was asked for before and meanwhile, and of what was given up nothing', async () => {
    const control = await bed.plane(serve(() => resources([a, b])));
    const { client, answered, synced } = bed.start(control.url, { onDemand: true });
    client.ask('early');
    await synced;
    for (const name of [a.name, 'left']) client.ask(name);
    await eventually('the answers', () => answered.length === 3);
    client.giveUp('left');
    control.cut();
    client.ask(b.name);
    await eventually('the answer', () => client.stateOf(b.name) === 'answered');
    const again = control.requests.find(({ stream, request }) => stream === 2 && request.typeUrl === ADDRESS_TYPE_URL)?.request;
    expect(again?.initialResourceVersions).to.deep.include({ early: '', [a.name]: a.version });
    expect(again?.initialResourceVersions).not.to.have.property('left');
  });

  it('takes as answered what is assumed, and tells those who wait', async () => {
    const control = await bed.plane(serve(() => resources([a, b])));
    const { client, answered } = bed.start('https://127.0.0.1:1', { onDemand: true });
    client.ask('x');
    client.assume('x');
    expect([client.stateOf('x'), answered, control.requests]).to.deep.equal(['answered', ['x'], []]);
  });
});
