import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CniError } from '../../src/plugin/cni-error.ts';
import type { PodCall } from '../../src/plugin/pod-call.ts';
import { PluginServer } from '../../src/serve/plugin-server.ts';

const call: PodCall = { containerId: 'c1', netns: '/n', podNamespace: 'bank', podName: 'ledger', podUid: 'u', ips: [], pid: 7 };

describe('PluginServer', () => {
  let directory: string;
  let path: string;
  let clock: FakeClock;
  let server: PluginServer;
  let add: (call: PodCall, signal: AbortSignal) => Promise<unknown>;
  let results: string[];
  let gone: PodCall[];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'plugin-'));
    path = join(directory, 'p.sock');
    clock = new FakeClock();
    results = [];
    gone = [];
    add = async () => ({ inMesh: true, reason: 'label' });
    server = await listen();
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    expect(clock.pendingTimers).to.equal(0);
    rmSync(directory, { recursive: true });
  });

  const listen = (): Promise<PluginServer> =>
    PluginServer.listen(
      { path },
      {
        service: { add: (each, signal) => add(each, signal), check: async () => ({}), del: (each) => void gone.push(each) },
        onCall: (command, result) => results.push(`${command} ${result}`),
        clock,
        logger: silentLogger,
      },
    );

  async function post(url: string, body: string, method = 'POST'): Promise<{ status: number; body: Record<string, unknown> }> {
    const sent = request({ socketPath: path, path: url, method, agent: false });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response) text += String(part);
    return { status: response.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> };
  }

  it('is for root alone, and its file goes with it', async () => {
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    await server[Symbol.asyncDispose]();
    expect(readdirSync(directory)).to.deep.equal([]);
  });

  it('grants and notes what the service does', async () => {
    expect(await post('/cmdadd', JSON.stringify(call))).to.deep.equal({ status: 200, body: { inMesh: true, reason: 'label' } });
    expect((await post('/cmddel', JSON.stringify(call))).status).to.equal(200);
    expect((await post('/cmdstatus', '')).status).to.equal(200);
    expect([gone, results]).to.deep.equal([[call], ['add granted', 'del granted']]);
  });

  it('tells a refusal with its code and remedy', async () => {
    add = () => Promise.reject(new CniError(101, 'no rules', 'look there'));
    const refused = { status: 503, body: { code: 101, message: 'no rules', details: 'look there' } };
    expect(await post('/cmdadd', JSON.stringify(call))).to.deep.equal(refused);
    expect(results).to.deep.equal(['add refused']);
  });

  it('refuses bodies that are no call or too long, and paths and methods it does not know', async () => {
    expect((await post('/cmdadd', '{}')).body).to.include({ code: 6 });
    expect((await post('/cmdadd', 'x'.repeat(70_000))).body['message']).to.include('longer than 65536');
    expect((await post('/cmdfly', '{}')).status).to.equal(404);
    expect((await post('/cmdadd', '', 'PUT')).status).to.equal(404);
  });

  it('answers in time when a capture is not done', async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    add = (_call, signal) => {
      asked.resolve(signal);
      return new Promise(() => {});
    };
    const answer = post('/cmdadd', JSON.stringify(call));
    const signal = await asked.promise;
    clock.advance(18_000);
    expect((await answer).body).to.include({ code: 11, message: 'the node agent was not done within 18000 ms' });
    expect(signal.aborted).to.equal(true);
  });

  it('tells the service when the plugin has gone', async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    add = (_call, signal) => {
      asked.resolve(signal);
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const sent = request({ socketPath: path, path: '/cmdadd', method: 'POST', agent: false }).on('error', () => {});
    sent.end(JSON.stringify(call));
    const signal = await asked.promise;
    sent.destroy();
    await once(signal, 'abort');
    while (results.length === 0) await new Promise((resolve) => void setImmediate(resolve));
    expect(results).to.deep.equal(['add refused']);
  });

  it('takes the place of a socket that an earlier agent left, and leaves that of its successor', async () => {
    const next = await listen();
    await server[Symbol.asyncDispose]();
    expect(existsSync(path)).to.equal(true);
    expect((await post('/cmdstatus', '')).status).to.equal(200);
    await next[Symbol.asyncDispose]();
  });

  it('says where it cannot listen', async () => {
    path = join(directory, 'none', 'p.sock');
    const error = await listen().catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'MESH-CONFIG-003' });
  });

  it('holds on to nothing after a thousand calls', async () => {
    for (let calls = 0; calls < 1_000; calls += 20)
      await Promise.all(Array.from({ length: 20 }, () => post('/cmdadd', JSON.stringify(call))));
    expect([results.length, clock.pendingTimers]).to.deep.equal([1_000, 0]);
  });
});
