/** What callers get of a service behind a waypoint: every protocol through ztunnel, waypoint and ztunnel, whatever breaks. */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runIn } from '../harness/command.ts';
import { RunningMesh } from '../harness/mesh.ts';
import { pseudoRandom, streamKey } from '../peers/pseudo-random.ts';

const gibibyte = 1_073_741_824;
const server = '10.96.2.1';

describe('a service behind a waypoint', () => {
  let mesh: RunningMesh;

  before(async function () {
    this.timeout(120_000);
    mesh = await RunningMesh.start({ manifests: join(import.meta.dirname, '../manifests-waypoint'), timeoutMs: 90_000 });
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  async function ask(command: readonly string[], timeoutMs = 60_000): Promise<string> {
    const { code, stdout, stderr } = await runIn(mesh.pod('callers/caller').namespacePath, command, { timeoutMs });
    expect(code, `${command.join(' ')}: ${stderr}`).to.equal(0);
    return stdout;
  }

  function peer(name: string, ...options: readonly string[]): Promise<string> {
    return ask([process.execPath, join(import.meta.dirname, '../peers', name), ...options]);
  }

  it('is called through the waypoint', async () => {
    const answer = await ask(['curl', '-sS', '-i', `http://${server}/who`]);
    expect(answer)
      .to.match(/^HTTP\/1.1 200 /)
      .and.to.match(/"name":"server-\d"/);
    const line = await mesh.line(({ process, line }) => process.startsWith('domain/gate') && line.includes('"/who"'));
    expect(line.line).to.contain('spiffe://cluster.local/ns/callers/sa/caller');
  });

  for (const loopback of ['127.0.0.1', '[::1]'])
    it(`has a waypoint that listens for callers and for probes at ${loopback}`, async () => {
      const { namespacePath } = mesh.pod('domain/gate-0');
      const probe = ['curl', '-gsS', '-o', '/dev/null', '-w', '%{http_code}', `http://${loopback}:15021/healthz/ready`];
      expect(await runIn(namespacePath, probe)).to.deep.equal({ code: 0, stdout: '200', stderr: '' });
      const handshake = await runIn(namespacePath, ['openssl', 's_client', '-alpn', 'h2', '-connect', `${loopback}:15008`]);
      expect(handshake.stdout).to.match(/BEGIN CERTIFICATE/);
    });

  it('gets and gives one gibibyte with equal hashes', async function () {
    this.timeout(300_000);
    const expected = await sha256(gibibyte);
    const { key, iv } = streamKey;
    const made = `head -c ${gibibyte} /dev/zero | openssl enc -aes-256-ctr -K ${key} -iv ${iv}`;
    const up = await ask(['sh', '-c', `${made} | curl -sS -T - http://${server}/sum`], 140_000);
    expect(JSON.parse(up)).to.deep.equal({ sha256: expected, bytes: gibibyte });
    const down = await ask(['sh', '-c', `curl -sS http://${server}/bytes/${gibibyte} | sha256sum`], 140_000);
    expect(down.split(' ')[0]).to.equal(expected);
  });

  it('answers gRPC calls of every kind, with trailers and status', async () => {
    const report = JSON.parse(await peer('grpc-client.ts', `${server}:9090`)) as Record<string, unknown>;
    expect(report).to.deep.include({ unary: 'hello', downloaded: 1_000, uploaded: 1_024_000, chatted: 100 });
    expect(report).to.deep.include({ code: 9, details: 'the account is closed' });
    expect(report['servedBy']).to.match(/^server-\d$/);
  });

  it('echoes WebSocket messages, text and binary', async () => {
    const report: unknown = JSON.parse(await peer('websocket-client.ts', `ws://${server}/echo`));
    expect(report).to.deep.equal({ text: 50, binary: 50, code: 1000 });
  });

  it('answers at least 99.9 % with one of five replicas failing, after the first second', async () => {
    const broken = mesh.pod('domain/server-3');
    const set = (value: string) =>
      runIn(broken.namespacePath, ['curl', '-sS', '-T', '-', 'http://127.0.0.1:8080/broken'], { input: value });
    await set('yes');
    const seconds = await peer('steady-client.ts', `http://${server}/who`, '6000');
    await set('no');
    const { good, all } = count((JSON.parse(seconds) as Seconds).slice(1));
    expect(all).to.be.above(500);
    expect(good / all, seconds).to.be.at.least(0.999);
  });

  it('loses no request while one of two waypoints is replaced', async () => {
    const file = join(mesh.directory, 'gate.yaml');
    const two = await readFile(file, 'utf8');
    const steady = peer('steady-client.ts', `http://${server}/load`, '20000');
    await mesh.line(({ process, line }) => process === 'domain/gate-1' && line.includes('"/load"'));
    await writeFile(file, two.replace("replicas: '2'", "replicas: '1'"));
    await mesh.line(({ process, line }) => process === 'domain/gate-1' && line.includes('shutdown complete'), 15_000);
    const gone = new Date().toISOString();
    await writeFile(file, two);
    await mesh.line(
      ({ process, line }) =>
        process === 'domain/gate-1' &&
        line.includes('"message":"serving"') &&
        (JSON.parse(line) as { readonly time: string }).time > gone,
      30_000,
    );
    const seconds = await steady;
    const { good, all } = count(JSON.parse(seconds) as Seconds);
    expect(all).to.be.above(1_000);
    expect(all - good, seconds).to.equal(0);
  });
});

type Seconds = readonly Readonly<Record<string, number>>[];

function count(seconds: Seconds): { readonly good: number; readonly all: number } {
  const results = seconds.flatMap((second) => Object.entries(second));
  const sum = (entries: typeof results): number => entries.reduce((total, [, number]) => total + number, 0);
  return { good: sum(results.filter(([result]) => result === '200')), all: sum(results) };
}

async function sha256(bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of pseudoRandom(bytes) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}
