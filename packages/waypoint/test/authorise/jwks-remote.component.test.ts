import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { afterEach, before, beforeEach, describe, it } from 'mocha';
import { Agent } from 'undici';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { RemoteKeys } from '../../src/authorise/jwks-remote.ts';
import type { RemoteKeysOptions } from '../../src/authorise/jwks-remote.ts';
import { createIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';
import { unaborted } from './requests.ts';

type Answer = { readonly status: number; readonly body: string } | 'silence' | 'reset';

/** An issuer's web server that answers as it is told. */
class KeyServer implements AsyncDisposable {
  answer: Answer = 'silence';
  asked = 0;
  readonly #server = http.createServer((request, response) => {
    this.asked += 1;
    if (this.answer === 'reset') request.socket.destroy();
    else if (this.answer !== 'silence') response.writeHead(this.answer.status).end(this.answer.body);
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys?v=1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

let first: Issuer;
let second: Issuer;
before(async () => {
  [first, second] = await Promise.all([createIssuer('i'), createIssuer('i', { suffix: '2' })]);
});

describe('keys of an issuer', () => {
  let server: KeyServer;
  let uri: string;
  let clock: FakeClock;
  let dispatcher: Agent;
  beforeEach(async () => {
    server = new KeyServer();
    uri = await server.start();
    clock = new FakeClock();
    dispatcher = new Agent();
  });
  afterEach(async () => {
    await dispatcher.destroy();
    await server[Symbol.asyncDispose]();
  });

  function open(options: Partial<RemoteKeysOptions> = {}): RemoteKeys {
    return new RemoteKeys({ uri, ...options }, { clock, random: new FakeRandom(), dispatcher, logger: silentLogger });
  }

  /** Moves time on until the server was asked that often and the fetch is over. */
  async function afterRefresh(keys: RemoteKeys, asked: number): Promise<void> {
    clock.advance(clock.nextTimerMs ?? 0);
    while (server.asked < asked) await new Promise((resolve) => setTimeout(resolve, 5));
    await keys.current(unaborted);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }

  it('are fetched once for all that wait', async () => {
    server.answer = { status: 200, body: first.jwks };
    await using keys = open();
    const had = await Promise.all([1, 2, 3].map(async () => keys.current(unaborted)));
    expect(new Set(had).size).to.equal(1);
    expect(had[0]).not.to.equal(undefined);
    expect(server.asked).to.equal(1);
    expect(keys.current(unaborted)).to.equal(had[0]);
  });

  const useless: readonly (readonly [title: string, answer: Answer])[] = [
    ['answers 500', { status: 500, body: '{"keys":[]}' }],
    ['answers what is no JSON', { status: 200, body: '<html>' }],
    ['answers no keys', { status: 200, body: '{"keys":[]}' }],
    ['answers without end', { status: 200, body: ' '.repeat(300_000) }],
    ['breaks off', 'reset'],
  ];
  for (const [title, answer] of useless) {
    it(`cannot be had while it ${title}`, async () => {
      server.answer = answer;
      await using keys = open();
      expect(await keys.current(unaborted)).to.equal(undefined);
    });
  }

  it('cannot be had while it is silent, which takes its time and not longer', async () => {
    await using keys = open({ timeoutMs: 1_000 });
    const had = keys.current(unaborted);
    clock.advance(1_000);
    expect(await had).to.equal(undefined);
  });

  it('are not waited for by a request that was given up', async () => {
    await using keys = open();
    const abort = new AbortController();
    const reason = new Error('gone');
    const had = Promise.resolve(keys.current(abort.signal)).catch((error: unknown) => error);
    abort.abort(reason);
    expect(await had).to.equal(reason);
  });

  it('are asked for by requests once per cooldown only', async () => {
    server.answer = 'reset';
    await using keys = open({ cooldownMs: 10_000 });
    for (let request = 0; request < 5; request += 1) expect(await keys.current(unaborted)).to.equal(undefined);
    expect(server.asked).to.equal(1);
  });

  it('are had again when the issuer comes back', async () => {
    server.answer = 'reset';
    await using keys = open();
    expect(await keys.current(unaborted)).to.equal(undefined);
    server.answer = { status: 200, body: first.jwks };
    await afterRefresh(keys, 2);
    expect(await keys.current(unaborted)).not.to.equal(undefined);
  });

  it('go on while the issuer is down', async () => {
    server.answer = { status: 200, body: first.jwks };
    await using keys = open();
    const had = await keys.current(unaborted);
    server.answer = 'reset';
    await afterRefresh(keys, 2);
    await afterRefresh(keys, 3);
    expect(keys.current(unaborted)).to.equal(had);
  });

  it('stay the same set, and what it knows, while the issuer publishes the same', async () => {
    server.answer = { status: 200, body: first.jwks };
    await using keys = open();
    const had = await keys.current(unaborted);
    await afterRefresh(keys, 2);
    expect(keys.current(unaborted)).to.equal(had);
  });

  it('are fetched for a key nobody knows, and not again within the cooldown', async () => {
    server.answer = { status: 200, body: first.jwks };
    await using keys = open({ cooldownMs: 10_000 });
    const had = await keys.current(unaborted);
    const token = await second.sign({ sub: 'a' });
    expect(await had?.verify(token)).to.deep.equal({ kind: 'unknown-key' });
    server.answer = { status: 200, body: second.jwks };
    if (had === undefined) throw new Error('no keys');
    expect(await keys.other(had, unaborted)).to.equal(had);
    clock.advance(10_000);
    const other = await keys.other(had, unaborted);
    expect(await other?.verify(token)).to.have.property('kind', 'holds');
    expect(server.asked).to.equal(2);
  });

  it('leave no timer and no connection behind', async () => {
    server.answer = { status: 200, body: first.jwks };
    const keys = open();
    await keys.current(unaborted);
    await keys[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
    server.answer = 'silence';
    const silent = open();
    await silent[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
  });
});
