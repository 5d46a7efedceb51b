import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { OpaServerEngine } from '../../src/authorise/opa-server.ts';
import { installOpa } from '@clearmesh/shared/testing/install-opa';
import { startOpa } from './opa-binary.ts';
import { describeEngine } from './opa-engine-compliance.ts';
import { unaborted } from './requests.ts';

const deps = { clock: systemClock };
const always = { 'p.rego': 'package a\nallow := true' };

before(async function () {
  this.timeout(300_000);
  await installOpa();
});

describeEngine('an OPA server', async (files, path) => {
  const server = await startOpa(files);
  const engine = new OpaServerEngine({ url: server.url, path, timeoutMs: 5_000 }, deps);
  return {
    engine,
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});

describe('an OPA server that does not decide', () => {
  it('is unavailable while it is gone', async () => {
    const server = await startOpa(always);
    await using engine = new OpaServerEngine({ url: server.url, path: 'a/allow' }, deps);
    expect(await engine.evaluate('{}', unaborted)).to.have.property('kind', 'result');
    await server[Symbol.asyncDispose]();
    expect(await engine.evaluate('{}', unaborted)).to.have.property('kind', 'unavailable');
  });

  it('is unavailable while it stands still, and answers again when it goes on', async () => {
    await using server = await startOpa(always);
    await using engine = new OpaServerEngine({ url: server.url, path: 'a/allow', timeoutMs: 100 }, deps);
    await engine.evaluate('{}', unaborted);
    await server.pause();
    expect(await engine.evaluate('{}', unaborted)).to.deep.equal({
      kind: 'unavailable',
      reason: 'the OPA server did not answer within 100 ms',
    });
    server.resume();
    await using patient = new OpaServerEngine({ url: server.url, path: 'a/allow', timeoutMs: 5_000 }, deps);
    expect(await patient.evaluate('{}', unaborted)).to.have.property('kind', 'result');
  });

  const nonsense: readonly (readonly [title: string, status: number, body: string, reason: RegExp])[] = [
    ['a status of 500', 500, '{"result":true}', /answered 500/],
    ['no JSON', 200, '<html>', /no JSON object/],
    ['a list', 200, '[true]', /no JSON object/],
    ['an endless answer', 200, 'x'.repeat(2_000_000), /more than 1048576 bytes/],
  ];
  for (const [title, status, body, reason] of nonsense) {
    it(`is unavailable when it answers ${title}`, async () => {
      await using server = await fakeServer(status, body);
      await using engine = new OpaServerEngine({ url: server.url, path: 'a/allow', timeoutMs: 5_000 }, deps);
      const evaluation = await engine.evaluate('{}', unaborted);
      expect(evaluation.kind === 'unavailable' && evaluation.reason).to.match(reason);
    });
  }

  it('is asked no more than the bound says', async () => {
    await using server = await fakeServer(200, undefined);
    await using engine = new OpaServerEngine({ url: server.url, path: 'a/allow', timeoutMs: 200, maxPending: 2 }, deps);
    const answers = await Promise.all([1, 2, 3].map(() => engine.evaluate('{}', unaborted)));
    expect(answers.map((answer) => answer.kind === 'unavailable' && answer.reason)).to.deep.equal([
      'the OPA server did not answer within 200 ms',
      'the OPA server did not answer within 200 ms',
      '2 questions to the OPA server are open',
    ]);
  });

  it('tells by its provenance that another policy answers', async () => {
    const answers = ['one', 'two', 'two'].map((revision) =>
      JSON.stringify({ result: true, provenance: { bundles: { main: { revision } } } }),
    );
    await using server = await fakeServer(200, () => answers.shift() ?? '');
    await using engine = new OpaServerEngine({ url: server.url, path: 'a/allow', timeoutMs: 5_000 }, deps);
    const seen: string[] = [];
    engine.onActivation(() => seen.push(engine.revision));
    for (let asked = 0; asked < 3; asked += 1) await engine.evaluate('{}', unaborted);
    expect(seen).to.deep.equal(['main@one', 'main@two']);
  });
});

/** Answers every request the same; without a body, never. */
async function fakeServer(
  status: number,
  body: string | undefined | (() => string),
): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = http.createServer((asked, answer) => {
    asked.resume();
    if (body !== undefined) answer.writeHead(status).end(typeof body === 'string' ? body : body());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
