/** What becomes of connections to an endpoint when the proxy before it takes no new streams. */
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { buffer } from 'node:stream/consumers';
import { streamOf } from '../../src/exchange/answer-body.ts';
import type { AttemptOutcome } from '../../src/forward/upstream.ts';
import type { WireUpstream } from '../../src/forward/wire-upstream.ts';
import { WireBed, kindOf, request } from './wire-bed.ts';

describe('WireUpstream, when the endpoint’s proxy drains,', () => {
  const live = new AbortController().signal;
  let bed: WireBed;
  let upstream: WireUpstream;

  beforeEach(() => {
    bed = new WireBed();
    ({ upstream } = bed);
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  async function textOf(outcome: AttemptOutcome): Promise<string> {
    return outcome.kind === 'answer' ? String(await buffer(streamOf(outcome.answer.body))) : kindOf(outcome);
  }

  it('lets a request finish on its connection, ends that, and sends the next on a new one', async () => {
    const ports: number[] = [];
    const held: http.ServerResponse[] = [];
    const closed: Promise<unknown>[] = [];
    const endpoint = await bed.listening(
      http.createServer((incoming, response) => {
        ports.push(incoming.socket.remotePort ?? 0);
        if (ports.length < 3) closed.push(once(incoming.socket, 'close'));
        if (incoming.url === '/held') held.push(response);
        else response.end('ok');
      }),
      'HTTP/1.1',
    );
    expect(await textOf(await upstream.send(endpoint, request(), undefined, live))).to.equal('ok');
    const under = upstream.send(endpoint, request({ path: '/held' }), undefined, live);
    while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    upstream.retire(endpoint.address.ip);
    expect(await textOf(await upstream.send(endpoint, request(), undefined, live))).to.equal('ok');
    held[0]?.end('late');
    expect(await textOf(await under)).to.equal('late');
    await Promise.all(closed);
    expect(ports.slice(0, 2)).not.to.include(ports[2]);
    expect(upstream.size).to.equal(1);
  });

  it('ends what is under way on a connection that was given up, when its endpoint is gone', async () => {
    const endpoint = await bed.listening(
      http.createServer((incoming) => incoming.resume()),
      'HTTP/1.1',
    );
    const under = upstream.send(endpoint, request(), undefined, live);
    upstream.retire(endpoint.address.ip);
    upstream.forget((id) => id === endpoint.id);
    expect((await under).kind).to.equal('failed');
    expect(upstream.size).to.equal(0);
  });

  it('lets streams of HTTP/2 finish, ends their connection, and opens a new one', async () => {
    const sessions: http2.Http2Session[] = [];
    const held: http2.ServerHttp2Stream[] = [];
    const h2 = http2.createServer().on('stream', (stream: http2.ServerHttp2Stream) => {
      if (stream.session !== undefined) sessions.push(stream.session);
      if (held.length === 0) held.push(stream);
      else stream.respond({ ':status': 200 }, { endStream: true });
    });
    const endpoint = await bed.listening(h2, 'HTTP/2');
    const under = upstream.send(endpoint, request(), undefined, live);
    while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    upstream.retire(endpoint.address.ip);
    expect(kindOf(await upstream.send(endpoint, request(), undefined, live))).to.equal('answer 200');
    const [first, second] = sessions;
    expect(second).not.to.equal(first);
    const closed = first === undefined ? undefined : once(first, 'close');
    held[0]?.respond({ ':status': 200 }, { endStream: true });
    expect(kindOf(await under)).to.equal('answer 200');
    await closed;
    expect([first?.destroyed, second?.destroyed]).to.deep.equal([true, false]);
  });
});
