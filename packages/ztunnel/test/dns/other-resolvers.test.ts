import { expect } from 'chai';
import { beforeEach, describe, it } from 'mocha';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';
import { formatSocketAddress } from '@clearmesh/shared/model/ip-address';
import { socketAddress } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { AnswerCache } from '../../src/dns/answer-cache.ts';
import type { Way } from '../../src/dns/forwarder.ts';
import type { Query } from '../../src/dns/message.ts';
import { OtherResolvers } from '../../src/dns/other-resolvers.ts';
import type { DnsProtocol } from '../../src/dns/responder.ts';
import { asQuery, question, readAnswer, upstreamAnswer } from './messages.ts';
import type { AskedMessage } from './messages.ts';

const never = new AbortController().signal;

describe('a question that the mesh has no answer to', () => {
  let clock: FakeClock;
  let used: string[];
  /** Whom it was asked of, and how. */
  let forwarded: string[];
  let forward: (query: Query, way: Way) => Promise<Uint8Array>;
  let others: OtherResolvers;

  const create = (cache?: AnswerCache): OtherResolvers =>
    new OtherResolvers(
      { nameservers: [socketAddress('10.96.0.10:53'), socketAddress('10.96.0.11:53')] },
      {
        forward: (query, way) => {
          forwarded.push([way.protocol, ...way.nameservers.map(formatSocketAddress)].join(' '));
          return forward(query, way);
        },
        ...(cache === undefined ? {} : { cache }),
        metrics: { cacheUsed: (outcome) => void used.push(outcome) },
      },
    );

  beforeEach(() => {
    clock = new FakeClock();
    [used, forwarded] = [[], []];
    forward = async (query, { nameservers: [first] }) =>
      upstreamAnswer(Buffer.from(query.bytes), { address: first!.ip.replace('fd00::a', '6.6.6.6') });
    others = create(new AnswerCache({ maxEntries: 10 }, { clock }));
  });

  type Asked = Partial<AskedMessage> & { readonly protocol?: DnsProtocol; readonly server?: SocketAddress };
  const ask = async ({ protocol = 'udp', server, ...asked }: Asked = {}, of = others): Promise<readonly string[]> => {
    const found = of.ask(asQuery(question({ name: 'www.example.org', ...asked })), { protocol, server: () => server }, never);
    return readAnswer(await found.answer).answers;
  };

  it('is asked once as long as its answer lives', async () => {
    expect(await ask()).to.deep.equal(['www.example.org A 10.96.0.10 77']);
    clock.advance(70_000);
    expect(await ask({ id: 99 })).to.deep.equal(['www.example.org A 10.96.0.10 7']);
    clock.advance(7_000);
    expect(await ask()).to.deep.equal(['www.example.org A 10.96.0.10 77']);
    expect(used).to.deep.equal(['miss', 'hit', 'miss']);
    expect(forwarded).to.deep.equal(Array(2).fill('udp 10.96.0.10:53 10.96.0.11:53'));
  });

  it('is answered by the servers that were asked for it, and by no others', async () => {
    const server = socketAddress('10.9.9.9:53');
    expect(await ask()).to.deep.equal(['www.example.org A 10.96.0.10 77']);
    expect(await ask({ server })).to.deep.equal(['www.example.org A 10.9.9.9 77']);
    expect(await ask({ server: socketAddress('[fd00::a]:53') })).to.deep.equal(['www.example.org A 6.6.6.6 77']);
    expect(await ask({ server: socketAddress('10.96.0.11:53') })).to.deep.equal(['www.example.org A 10.96.0.10 77']);
    expect(await ask({ server })).to.deep.equal(['www.example.org A 10.9.9.9 77']);
    expect(used).to.deep.equal(['miss', 'miss', 'miss', 'hit', 'hit']);
    expect(forwarded.slice(1)).to.deep.equal(['udp 10.9.9.9:53', 'udp [fd00::a]:53']);
  });

  it('of one pod is not answered by what another one was told', async () => {
    const another = create(new AnswerCache({ maxEntries: 10 }, { clock }));
    await ask();
    await ask({}, another);
    expect(used).to.deep.equal(['miss', 'miss']);
  });

  it('is answered over UDP with what was told over TCP, where it fits', async () => {
    await ask({ protocol: 'tcp' });
    await ask({ protocol: 'udp' });
    expect(used).to.deep.equal(['miss', 'hit']);
  });

  it('is asked anew when the answer does not fit, and that leaves it there for who takes it', async () => {
    const long = (query: Query): Buffer => {
      const answer = upstreamAnswer(Buffer.from(query.bytes), { address: '9.9.9.9' });
      const records = Array<Buffer>(40).fill(answer.subarray(-16));
      return Buffer.concat([answer.subarray(0, -16), ...records]).fill(40, 7, 8);
    };
    const cut = (query: Query): Buffer => {
      const answer = upstreamAnswer(Buffer.from(query.bytes), {});
      return answer.fill(answer[2]! | 2, 2, 3);
    };
    forward = async (query, { protocol }) => (protocol === 'tcp' ? long(query) : cut(query));
    expect([(await ask({ protocol: 'tcp' })).length, (await ask()).length]).to.deep.equal([40, 0]);
    expect([(await ask({ protocol: 'tcp' })).length, (await ask()).length]).to.deep.equal([40, 0]);
    expect(used).to.deep.equal(['miss', 'miss', 'hit', 'miss']);
  });

  it('joins an equal one that is under way, of the same protocol and size', async () => {
    const mayAnswer = Promise.withResolvers<void>();
    const { forward: answering } = { forward };
    forward = async (query, way) => (await mayAnswer.promise, answering(query, way));
    const different: readonly Asked[] = [{}, { protocol: 'tcp' }, { name: 'other.example' }, { edns: 512 }, { edns: 4_096 }];
    const asked = [...different, ...different, { name: 'WWW.example.ORG', id: 4 }].map((each) => ask(each).catch(() => []));
    expect([others.size, forwarded.length]).to.deep.equal([5, 5]);
    expect(used).to.deep.equal([...Array<string>(5).fill('miss'), ...Array<string>(6).fill('shared')]);
    mayAnswer.resolve();
    const answers = await Promise.all(asked);
    expect(answers.slice(0, 3)).to.deep.equal(answers.slice(5, 8));
    expect([others.size, answers[10]]).to.deep.equal([0, ['www.example.org A 10.96.0.10 77']]);
  });

  it('that fails is a failure to all that wait for it, and is asked again after that', async () => {
    const failing = Promise.withResolvers<Uint8Array>();
    forward = () => failing.promise;
    const asked = [ask(), ask()].map((each) => each.catch((error: Error) => error.message));
    failing.reject(new Error('nobody is there'));
    expect(await Promise.all(asked)).to.deep.equal(['nobody is there', 'nobody is there']);
    forward = async (query) => upstreamAnswer(Buffer.from(query.bytes), { code: 2 });
    expect([await ask(), await ask(), others.size]).to.deep.equal([[], [], 0]);
    expect(used).to.deep.equal(['miss', 'shared', 'miss', 'miss']);
  });

  it('goes on each time, and is not counted, where nothing is kept, or it may not be', async () => {
    const without = create();
    await Promise.all([ask({}, without), ask({}, without)]);
    const ednsOptions = Buffer.from([0, 10, 0, 0]);
    const optioned = { edns: 1_232, ednsOptions };
    forward = async (query) => Buffer.from(query.bytes);
    await Promise.all([ask(optioned), ask(optioned)]);
    expect([forwarded.length, used, others.size]).to.deep.equal([4, [], 0]);
  });
});
