import { expect } from 'chai';
import { describe, it } from 'mocha';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { datagramSocket } from '@clearmesh/linux/datagram-socket';
import { openDescriptors } from '@clearmesh/linux/testing/open-descriptors';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { Forwarder } from '../../src/dns/forwarder.ts';
import type { Query } from '../../src/dns/message.ts';
import { asQuery, question, readAnswer, upstreamAnswer } from './messages.ts';
import { FakeResolver, freePort } from './resolvers.ts';

const never = new AbortController().signal;

const query = (): Query => asQuery(question({ id: 0x1234, name: 'www.example.org' }));

type Asked = { readonly forward: (query: Query, protocol: 'udp' | 'tcp', signal: AbortSignal) => Promise<Uint8Array> };

function create(nameservers: readonly SocketAddress[], tryMs = 2_000): Asked {
  const openDatagram = (): number => datagramSocket({ ip: '0.0.0.0', port: 0 }).fd;
  const connect = (target: SocketAddress, signal: AbortSignal): ReturnType<typeof connectTcp> => connectTcp({ target }, signal);
  const forwarder = new Forwarder({ tryMs, totalMs: 5_000 }, { openDatagram, connect, clock: systemClock, random: systemRandom });
  return { forward: (query, protocol, signal) => forwarder.forward(query, { nameservers, protocol }, signal) };
}

const addressed = (message: Buffer): Buffer => upstreamAnswer(message, { address: '9.9.9.9' });
const told = ['www.example.org A 9.9.9.9 77'];

describe('a question for another resolver', () => {
  for (const protocol of ['udp', 'tcp'] as const) {
    it(`is answered over ${protocol}, and leaves no socket behind`, async () => {
      await using resolver = await FakeResolver.start(addressed);
      const before = openDescriptors();
      const answer = await create([resolver.address]).forward(query(), protocol, never);
      expect(readAnswer(answer).answers).to.deep.equal(told);
      expect(resolver.seen.map((seen) => seen.protocol)).to.deep.equal([protocol]);
      if (protocol === 'udp') expect(openDescriptors()).to.deep.equal(before);
    });

    it(`goes to the next resolver when nobody listens, over ${protocol}`, async () => {
      await using resolver = await FakeResolver.start(addressed);
      const nobody = socketAddress(`127.0.0.1:${await freePort()}`);
      const answer = await create([nobody, resolver.address]).forward(query(), protocol, never);
      expect(readAnswer(answer).answers).to.deep.equal(told);
    });

    it(`fails with the reason when nobody listens at all, over ${protocol}`, async () => {
      const port = await freePort();
      const failed = await create([socketAddress(`127.0.0.1:${port}`)])
        .forward(query(), protocol, never)
        .catch((error: unknown) => error);
      expect(String(failed)).to.match(/ECONNREFUSED/);
    });

    it(`goes to the next resolver when one is silent, over ${protocol}`, async () => {
      await using silent = await FakeResolver.start(() => undefined);
      await using resolver = await FakeResolver.start(addressed);
      const answer = await create([silent.address, resolver.address], 50).forward(query(), protocol, never);
      expect([readAnswer(answer).answers, silent.seen.length]).to.deep.equal([told, 1]);
    });

    it(`is asked of one resolver twice, and then fails, over ${protocol}`, async () => {
      await using silent = await FakeResolver.start(() => undefined);
      const failed = await create([silent.address], 30)
        .forward(query(), protocol, never)
        .catch((error: unknown) => error);
      expect(String(failed)).to.include(`127.0.0.1:${silent.address.port}: no answer within 30 ms`);
      expect(silent.seen).to.have.lengthOf(2);
    });

    it(`is given up with its asker, over ${protocol}`, async () => {
      const asker = new AbortController();
      await using silent = await FakeResolver.start(() => (asker.abort(new Error('the pod is gone')), undefined));
      const failed = await create([silent.address])
        .forward(query(), protocol, asker.signal)
        .catch((error: unknown) => error);
      expect(String(failed)).to.equal('Error: the pod is gone');
    });
  }

  it('has a number of its own each time, and its bytes are otherwise as they came', async () => {
    await using resolver = await FakeResolver.start(addressed);
    const forwarder = create([resolver.address]);
    for (let index = 0; index < 8; index++) await forwarder.forward(query(), 'udp', never);
    expect(new Set(resolver.seen.map(({ message }) => message.readUInt16BE(0))).size).to.be.above(4);
    for (const { message } of resolver.seen) expect(message.subarray(2)).to.deep.equal(Buffer.from(query().bytes).subarray(2));
  });

  it('waits past answers to other questions', async () => {
    let count = 0;
    await using resolver = await FakeResolver.start((message) => {
      const other = Buffer.from(message);
      other.writeUInt16BE(message.readUInt16BE(0) ^ 1, 0);
      return upstreamAnswer(count++ === 0 ? other : message, { address: '9.9.9.9' });
    });
    const answer = await create([resolver.address], 50).forward(query(), 'udp', never);
    expect([readAnswer(answer).answers, count]).to.deep.equal([told, 2]);
  });

  it('goes to the next resolver when the network has no way to one', async () => {
    await using resolver = await FakeResolver.start(addressed);
    const before = openDescriptors();
    // Broadcasting is not allowed to ordinary sockets, so that connecting fails at once, as it does without a route.
    const answer = await create([socketAddress('255.255.255.255:53'), resolver.address]).forward(query(), 'udp', never);
    expect(readAnswer(answer).answers).to.deep.equal(told);
    expect(openDescriptors()).to.deep.equal(before);
  });

  it('fails when no resolver is known', async () => {
    const failed = await create([])
      .forward(query(), 'udp', never)
      .catch((error: unknown) => error);
    expect(String(failed)).to.include('/etc/resolv.conf');
  });
});
