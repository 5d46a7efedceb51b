/** The plugin's program as the container runtime runs it, with an agent that a test plays. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runPlugin } from './run-plugin.ts';
import type { PluginRun } from './run-plugin.ts';

describe('the plugin', () => {
  let directory: string;
  let agent: Server;
  let answer: { readonly status: number; readonly body: string } | undefined;
  let asked: string[];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'plugin-'));
    asked = [];
    answer = { status: 200, body: '{}' };
    agent = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (answer !== undefined) response.writeHead(answer.status).end(answer.body);
    });
    agent.listen(join(directory, 'p.sock'));
    await once(agent, 'listening');
  });
  afterEach(() => {
    agent.close();
    agent.closeAllConnections();
    rmSync(directory, { recursive: true });
  });

  const prevResult = { cniVersion: '1.0.0', ips: [{ address: '10.1.2.3/24' }], dns: {} };

  function run(command: string, more: object = {}): Promise<PluginRun> {
    const socket = join(directory, 'p.sock');
    const configuration = {
      cniVersion: '1.0.0',
      name: 'net',
      type: 'clearmesh-cni',
      socket,
      timeoutMs: 8_000,
      prevResult,
      ...more,
    };
    const args = 'K8S_POD_NAMESPACE=bank;K8S_POD_NAME=ledger;K8S_POD_UID=u-1';
    const env = { CNI_COMMAND: command, CNI_CONTAINERID: 'c1', CNI_NETNS: '/n', CNI_IFNAME: 'eth0', CNI_ARGS: args };
    return runPlugin(JSON.stringify(configuration), env);
  }

  it('says the result before it when the agent grants the ADD, and nothing for the others', async () => {
    const { status, output, complaint } = await run('ADD');
    expect([status, JSON.parse(output), complaint]).to.deep.equal([0, prevResult, '']);
    expect(await run('CHECK')).to.deep.equal({ status: 0, output: '', complaint: '' });
    expect(await run('DEL')).to.deep.equal({ status: 0, output: '', complaint: '' });
    expect(asked).to.deep.equal(['POST /cmdadd', 'POST /cmdcheck', 'POST /cmddel']);
  });

  it('says what the agent said when it refuses', async () => {
    answer = { status: 503, body: JSON.stringify({ code: 101, message: 'no rules', details: 'look there' }) };
    const { status, output } = await run('ADD');
    expect([status, JSON.parse(output)]).to.deep.equal([
      1,
      { cniVersion: '1.0.0', code: 101, msg: 'no rules', details: 'look there' },
    ]);
  });

  for (const { title, given, says, more } of [
    { title: 'is not understood', given: { status: 500, body: 'oops' }, says: /answered 500: oops/ },
    { title: 'is too long', given: { status: 200, body: 'x'.repeat(70_000) }, says: /longer than 65536 bytes/ },
    { title: 'does not come', given: undefined, says: /no answer within 300 ms/, more: { timeoutMs: 300 } },
  ]) {
    it(`starts no pod when the agent's answer ${title}; a pod may go all the same`, async () => {
      answer = given;
      const refused = await run('ADD', more);
      expect(refused.status).to.equal(1);
      expect((JSON.parse(refused.output) as { msg: string }).msg).to.match(says);
      const { status, output, complaint } = await run('DEL', more);
      expect([status, output]).to.deep.equal([0, '']);
      expect(complaint).to.match(says);
    });
  }

  it('answers STATUS by itself, or by the agent where it is told to', async () => {
    answer = { status: 503, body: '' };
    expect((await run('STATUS')).status).to.equal(0);
    const { status, output } = await run('STATUS', { statusFromAgent: true });
    expect([status, (JSON.parse(output) as { code: number }).code]).to.deep.equal([1, 50]);
  });

  for (const input of ['', 'no JSON', '[]', '{"cniVersion": "1.0.0"']) {
    it(`answers ${JSON.stringify(input)} on standard input with an error object`, async () => {
      const { status, output } = await runPlugin(input, { CNI_COMMAND: 'ADD' });
      expect(status).to.equal(1);
      expect(JSON.parse(output)).to.include({ cniVersion: '1.1.0', code: 6 });
    });
  }
});
