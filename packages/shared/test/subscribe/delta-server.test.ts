import { expect } from 'chai';
import { describe, it } from 'mocha';
import { DeltaServerStream } from '@clearmesh/shared/subscribe/delta-server';
import type { DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { ack, published, request, said } from './messages.ts';

const only = (responses: readonly DeltaDiscoveryResponse[]): DeltaDiscoveryResponse | undefined => {
  expect(responses.length).to.be.at.most(1);
  return responses[0];
};

/** A stream that subscribed to all addresses and acknowledged what it got. */
function subscribed(addresses: Readonly<Record<string, string>>): DeltaServerStream {
  const stream = new DeltaServerStream();
  const resources = published(addresses);
  const first = only(stream.recvRequest(request(), resources));
  stream.recvRequest(ack(first), resources);
  return stream;
}

describe('a wildcard subscription', () => {
  it('gets everything at once, with versions and without aliases', () => {
    const first = only(new DeltaServerStream().recvRequest(request(), published({ a: 'A|net/1', b: 'B' })));
    expect(said(first)).to.deep.equal({ sent: { a: 'A', b: 'B' }, removed: [] });
    expect(first?.resources.map(({ version, aliases }) => [version, aliases])).to.deep.equal([
      ['v-A', []],
      ['v-B', []],
    ]);
    expect(first?.resources[0]?.resource?.typeUrl).to.equal(ADDRESS_TYPE_URL);
  });

  it('V2 gets an empty response when there is nothing', () => {
    const first = only(new DeltaServerStream().recvRequest(request(), new Map()));
    expect(said(first)).to.deep.equal({ sent: {}, removed: [] });
    expect(first?.nonce).not.to.equal('');
  });

  it('gets what changed, appeared and vanished', () => {
    const stream = subscribed({ a: 'A', b: 'B', c: 'C' });
    expect(said(only(stream.publish(published({ a: 'A', b: 'B2', d: 'D' }))))).to.deep.equal({
      sent: { b: 'B2', d: 'D' },
      removed: ['c'],
    });
  });

  it('gets nothing when nothing changed', () => {
    const stream = subscribed({ a: 'A' });
    expect(stream.publish(published({ a: 'A' }))).to.deep.equal([]);
  });

  it('may be asked for by a star', () => {
    const first = only(new DeltaServerStream().recvRequest(request({ resourceNamesSubscribe: ['*'] }), published({ a: 'A' })));
    expect(said(first).sent).to.deep.equal({ a: 'A' });
  });
});

describe('a client that comes back', () => {
  const initialResourceVersions = { a: 'v-A', b: 'v-B', c: 'v-C' };

  it('gets what changed and what vanished, and no more', () => {
    const first = only(
      new DeltaServerStream().recvRequest(request({ initialResourceVersions }), published({ a: 'A', b: 'B2', d: 'D' })),
    );
    expect(said(first)).to.deep.equal({ sent: { b: 'B2', d: 'D' }, removed: ['c'] });
  });

  it('V2 gets an empty response when nothing changed', () => {
    const first = only(
      new DeltaServerStream().recvRequest(request({ initialResourceVersions }), published({ a: 'A', b: 'B', c: 'C' })),
    );
    expect(said(first)).to.deep.equal({ sent: {}, removed: [] });
  });

  it('gets all policies again, and the vanished ones removed', () => {
    const stream = new DeltaServerStream();
    const resources = published({}, { 'bank/a': 'A' });
    const again = request({ initialResourceVersions: { 'bank/a': '', 'bank/gone': '' } }, AUTHORIZATION_TYPE_URL);
    expect(said(only(stream.recvRequest(again, resources)))).to.deep.equal({ sent: { 'bank/a': 'A' }, removed: ['bank/gone'] });
  });

  it('is not believed when it tells versions of policies', () => {
    const again = request({ initialResourceVersions: { 'bank/a': 'v-A' } }, AUTHORIZATION_TYPE_URL);
    const first = only(new DeltaServerStream().recvRequest(again, published({}, { 'bank/a': 'A' })));
    expect(said(first).sent).to.deep.equal({ 'bank/a': 'A' });
    expect(first?.resources[0]?.version).to.equal('');
  });
});

describe('policies, which carry no version', () => {
  it('are sent again within a stream only when their content changed', () => {
    const stream = new DeltaServerStream();
    const before = published({}, { 'bank/a': 'A', 'bank/b': 'B' });
    stream.recvRequest(ack(only(stream.recvRequest(request({}, AUTHORIZATION_TYPE_URL), before))), before);
    expect(stream.publish(published({}, { 'bank/a': 'A', 'bank/b': 'B' }))).to.deep.equal([]);
    expect(said(only(stream.publish(published({}, { 'bank/a': 'A2', 'bank/b': 'B' })))).sent).to.deep.equal({ 'bank/a': 'A2' });
  });
});

describe('flow of responses', () => {
  it('V1 keeps one response in flight, and then sends what changed in all', () => {
    const stream = new DeltaServerStream();
    const first = only(stream.recvRequest(request(), published({ a: 'A', b: 'B' })));
    expect(stream.publish(published({ a: 'A2', b: 'B' }))).to.deep.equal([]);
    expect(stream.publish(published({ a: 'A3', b: 'B' }))).to.deep.equal([]);
    const latest = published({ a: 'A3', c: 'C' });
    expect(stream.publish(latest)).to.deep.equal([]);
    expect(said(only(stream.recvRequest(ack(first), latest)))).to.deep.equal({ sent: { a: 'A3', c: 'C' }, removed: ['b'] });
  });

  it('V1 sends nothing for a change that was undone meanwhile', () => {
    const stream = new DeltaServerStream();
    const first = only(stream.recvRequest(request(), published({ a: 'A' })));
    stream.publish(published({ a: 'A2' }));
    expect(stream.recvRequest(ack(first), published({ a: 'A' }))).to.deep.equal([]);
  });

  it('V1 holds for each type on its own', () => {
    const stream = new DeltaServerStream();
    const before = published({ a: 'A' }, { 'bank/p': 'P' });
    stream.recvRequest(request(), before);
    const policies = only(stream.recvRequest(request({}, AUTHORIZATION_TYPE_URL), before));
    stream.recvRequest(ack(policies), before);
    const sent = stream.publish(published({ a: 'A2' }, { 'bank/p': 'P2' }));
    expect(sent.map(({ typeUrl }) => typeUrl)).to.deep.equal([AUTHORIZATION_TYPE_URL]);
  });

  it('is settled when every response was answered', () => {
    const stream = new DeltaServerStream();
    const resources = published({ a: 'A' });
    const first = only(stream.recvRequest(request(), resources));
    const settled = [stream.settled];
    stream.recvRequest(ack(first), resources);
    expect([...settled, stream.settled]).to.deep.equal([false, true]);
  });

  it('pays no heed to a nonce that is not in flight', () => {
    const stream = new DeltaServerStream();
    stream.recvRequest(request(), published({ a: 'A' }));
    const later = published({ a: 'A2' });
    expect(stream.recvRequest(request({ responseNonce: 'other' }), later)).to.deep.equal([]);
    expect(stream.settled).to.equal(false);
  });

  it('gives each response a nonce of its own', () => {
    const stream = subscribed({ a: 'A' });
    const second = only(stream.publish(published({ a: 'A2' })));
    const third = only(stream.recvRequest(ack(second), published({ a: 'A3' })));
    expect(new Set(['n1', second?.nonce, third?.nonce]).size).to.equal(3);
  });

  it('does not answer a type that is not served', () => {
    const stream = new DeltaServerStream();
    expect(stream.recvRequest(request({}, 'type.googleapis.com/other'), published({}))).to.deep.equal([]);
  });
});

describe('a refusal', () => {
  it('V3 is remembered, and not answered by the same again', () => {
    const stream = new DeltaServerStream();
    const resources = published({ a: 'bad' });
    const first = only(stream.recvRequest(request(), resources));
    expect(stream.recvRequest(ack(first, 'a: bad'), resources)).to.deep.equal([]);
    expect(stream.publish(published({ a: 'bad' }))).to.deep.equal([]);
    expect(stream.lastNack(ADDRESS_TYPE_URL)).to.deep.equal({ nonce: first?.nonce, message: 'a: bad' });
    expect(stream.lastNack(AUTHORIZATION_TYPE_URL)).to.equal(undefined);
  });

  it('V3 is followed by the resource when it changes', () => {
    const stream = new DeltaServerStream();
    const resources = published({ a: 'bad', b: 'B' });
    stream.recvRequest(ack(only(stream.recvRequest(request(), resources)), 'a: bad'), resources);
    const mended = only(stream.publish(published({ a: 'good', b: 'B' })));
    expect(said(mended).sent).to.deep.equal({ a: 'good' });
    stream.recvRequest(ack(mended), published({ a: 'good', b: 'B' }));
    expect(stream.lastNack(ADDRESS_TYPE_URL)?.message).to.equal('a: bad');
  });
});

describe('a subscription by name', () => {
  const nothing = { resourceNamesSubscribe: ['*'], resourceNamesUnsubscribe: ['*'] };
  const resources = published({
    'cl//Pod/n/a': 'A|net/10.0.0.1|net/fd00::1',
    'cl//Pod/n/b': 'B|net/10.0.0.2',
    'n/svc': 'S|net/10.96.0.1',
  });

  function asking(): DeltaServerStream {
    const stream = new DeltaServerStream();
    stream.recvRequest(ack(only(stream.recvRequest(request(nothing), resources))), resources);
    return stream;
  }
  const ask = (...names: string[]): ReturnType<typeof request> => request({ resourceNamesSubscribe: names });

  it('V2 begins with an empty response', () => {
    expect(said(only(new DeltaServerStream().recvRequest(request(nothing), resources)))).to.deep.equal({ sent: {}, removed: [] });
  });

  for (const name of ['cl//Pod/n/a', 'net/10.0.0.1', 'net/fd00::1']) {
    it(`finds ${name}, and tells all aliases`, () => {
      const answer = only(asking().recvRequest(ask(name), resources));
      expect(said(answer)).to.deep.equal({ sent: { 'cl//Pod/n/a': 'A' }, removed: [] });
      expect(answer?.resources[0]?.aliases).to.deep.equal(['net/10.0.0.1', 'net/fd00::1']);
    });
  }

  it('answers an unknown name by its removal', () => {
    expect(said(only(asking().recvRequest(ask('net/10.9.9.9'), resources)))).to.deep.equal({
      sent: {},
      removed: ['net/10.9.9.9'],
    });
  });

  it('sends what an unknown name is waiting for when it appears', () => {
    const stream = asking();
    stream.recvRequest(ack(only(stream.recvRequest(ask('net/10.0.0.9'), resources))), resources);
    expect(said(only(stream.publish(published({ late: 'L|net/10.0.0.9', other: 'O' })))).sent).to.deep.equal({ late: 'L' });
  });

  it('answers again what was sent by another name', () => {
    const stream = asking();
    stream.recvRequest(ack(only(stream.recvRequest(ask('net/10.0.0.1'), resources))), resources);
    expect(said(only(stream.recvRequest(ask('cl//Pod/n/a'), resources))).sent).to.deep.equal({ 'cl//Pod/n/a': 'A' });
  });

  it('tells of changes to what was asked for only', () => {
    const stream = asking();
    stream.recvRequest(ack(only(stream.recvRequest(ask('net/10.0.0.1'), resources))), resources);
    const changed = published({ 'cl//Pod/n/a': 'A2|net/10.0.0.1', 'cl//Pod/n/b': 'B2|net/10.0.0.2' });
    expect(said(only(stream.publish(changed))).sent).to.deep.equal({ 'cl//Pod/n/a': 'A2' });
  });

  it('removes what lost the address it was asked by', () => {
    const stream = asking();
    stream.recvRequest(ack(only(stream.recvRequest(ask('net/10.0.0.1'), resources))), resources);
    const moved = published({ 'cl//Pod/n/a': 'A|net/10.0.0.7', heir: 'H|net/10.0.0.1' });
    expect(said(only(stream.publish(moved)))).to.deep.equal({ sent: { heir: 'H' }, removed: ['cl//Pod/n/a'] });
  });

  it('U1 brings the workloads behind a service with it, by name and by address, and later ones as they come', () => {
    const stream = asking();
    const before = published({ a: 'A|>n/svc', b: 'B', 'n/svc': 'S|net/10.96.0.1' });
    const first = only(stream.recvRequest(ask('net/10.96.0.1'), before));
    expect(said(first)).to.deep.equal({ sent: { 'n/svc': 'S', a: 'A' }, removed: [] });
    stream.recvRequest(ack(first), before);
    const after = published({ a: 'A', b: 'B|>n/svc', 'n/svc': 'S|net/10.96.0.1' });
    expect(said(only(stream.publish(after)))).to.deep.equal({ sent: { b: 'B' }, removed: ['a'] });
    expect(said(only(asking().recvRequest(ask('n/svc'), before))).sent).to.deep.equal({ 'n/svc': 'S', a: 'A' });
  });

  it('U1 brings what runs on the client’s own node unasked, now and later', () => {
    const stream = new DeltaServerStream({ node: 'mine' });
    const before = published({ a: 'A|@mine', b: 'B|@other', c: 'C' });
    const first = only(stream.recvRequest(request(nothing), before));
    expect(said(first)).to.deep.equal({ sent: { a: 'A' }, removed: [] });
    stream.recvRequest(ack(first), before);
    const after = published({ b: 'B|@mine', c: 'C|@other' });
    expect(said(only(stream.publish(after)))).to.deep.equal({ sent: { b: 'B' }, removed: ['a'] });
  });

  it('finds a service by any address of its block, and says so by an alias', () => {
    const blocks = published({ 'n/wide': 'W|net/10.64.0.0/10', 'n/narrow': 'N|net/10.65.1.0/24', other: 'O|net2/10.64.0.0/10' });
    const answer = only(asking().recvRequest(ask('net/10.65.1.7'), blocks));
    expect(said(answer).sent).to.deep.equal({ 'n/narrow': 'N', 'n/wide': 'W' });
    expect(answer?.resources.map(({ aliases }) => aliases[1])).to.deep.equal(['net/10.65.1.7', 'net/10.65.1.7']);
    expect(said(only(asking().recvRequest(ask('net/10.128.0.1'), blocks))).removed).to.deep.equal(['net/10.128.0.1']);
    const both = only(asking().recvRequest(ask('net/10.65.1.7', 'net/10.65.1.8'), blocks));
    expect(both?.resources.map(({ aliases }) => aliases.length)).to.deep.equal([3, 3]);
  });

  it('ends by unsubscribing', () => {
    const stream = asking();
    stream.recvRequest(ack(only(stream.recvRequest(ask('n/svc'), resources))), resources);
    const last = only(stream.recvRequest(request({ resourceNamesUnsubscribe: ['n/svc'] }), resources));
    expect(said(last)).to.deep.equal({ sent: {}, removed: ['n/svc'] });
    stream.recvRequest(ack(last), resources);
    expect(stream.publish(published({ 'n/svc': 'S2' }))).to.deep.equal([]);
  });

  it('keeps what another name wants when one is unsubscribed', () => {
    const stream = asking();
    stream.recvRequest(ack(only(stream.recvRequest(ask('cl//Pod/n/a', 'net/10.0.0.1'), resources))), resources);
    expect(stream.recvRequest(request({ resourceNamesUnsubscribe: ['cl//Pod/n/a'] }), resources)).to.deep.equal([]);
    const changed = published({ 'cl//Pod/n/a': 'A2|net/10.0.0.1' });
    expect(said(only(stream.publish(changed))).sent).to.deep.equal({ 'cl//Pod/n/a': 'A2' });
  });

  it('V1 gathers names asked for while a response is in flight', () => {
    const stream = asking();
    const first = only(stream.recvRequest(ask('net/10.0.0.1'), resources));
    expect(stream.recvRequest(ask('net/10.0.0.2'), resources)).to.deep.equal([]);
    expect(stream.recvRequest(ask('net/10.9.9.9'), resources)).to.deep.equal([]);
    expect(said(only(stream.recvRequest(ack(first), resources)))).to.deep.equal({
      sent: { 'cl//Pod/n/b': 'B' },
      removed: ['net/10.9.9.9'],
    });
  });

  it('is restored on reconnect from the versions told, names still unanswered included', () => {
    const stream = new DeltaServerStream();
    const initialResourceVersions = { 'cl//Pod/n/a': 'v-A', 'n/svc': 'v-old', gone: 'v', 'net/10.0.0.2': '', 'net/10.9.9.9': '' };
    const first = only(stream.recvRequest(request({ ...nothing, initialResourceVersions }), resources));
    expect(said(first).sent).to.deep.equal({ 'n/svc': 'S', 'cl//Pod/n/b': 'B' });
    expect(said(first).removed).to.have.members(['gone', 'net/10.9.9.9']);
    stream.recvRequest(ack(first), resources);
    expect(said(only(stream.publish(published({ 'cl//Pod/n/a': 'A2' })))).sent).to.deep.equal({ 'cl//Pod/n/a': 'A2' });
  });

  it('answers names beyond the bound as unknown, and keeps to those it has', () => {
    const stream = new DeltaServerStream({ maxNames: 1 });
    stream.recvRequest(ack(only(stream.recvRequest(request(nothing), resources))), resources);
    const first = only(stream.recvRequest(ask('n/svc'), resources));
    expect(said(first).sent).to.deep.equal({ 'n/svc': 'S' });
    expect(said(only(stream.recvRequest(ack(first), resources)))).to.deep.equal({ sent: {}, removed: [] });
    expect(said(only(stream.recvRequest(ask('net/10.0.0.1'), resources)))).to.deep.equal({ sent: {}, removed: ['net/10.0.0.1'] });
  });

  it('becomes a wildcard by a star, and a wildcard still answers names', () => {
    const stream = asking();
    const all = only(stream.recvRequest(ask('*'), resources));
    expect(Object.keys(said(all).sent)).to.have.length(3);
    stream.recvRequest(ack(all), resources);
    expect(said(only(stream.recvRequest(ask('net/10.0.0.2'), resources))).sent).to.deep.equal({ 'cl//Pod/n/b': 'B' });
  });
});
