/** The bank's ledger as a process: what is in its journal however it dies, and who may order a drill. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';

const program = fileURLToPath(new URL('../../../../examples/bank/services/ledger.ts', import.meta.url));

/** A process that is killed takes kept connections with it, and its port lives on. */
const fresh = { connection: 'close' };

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the ledger of the bank', function () {
  this.timeout(20_000);
  let directory: string;
  let journal: string;
  let ports: { readonly bookings: number; readonly questions: number };
  let child: ChildProcess;

  const start = async (): Promise<void> => {
    const { bookings, questions } = ports;
    const env = {
      ...process.env,
      TMPDIR: directory,
      JOURNAL: 'journal.jsonl',
      PORT: `${bookings}`,
      QUESTIONS_PORT: `${questions}`,
    };
    child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'inherit', 'inherit'] });
    while (!(await fetch(`http://127.0.0.1:${questions}/balance`, { headers: fresh }).catch(() => undefined))) {
      if (child.exitCode !== null) throw new Error('the ledger ended before it listened');
    }
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-ledger-'));
    journal = join(directory, 'journal.jsonl');
    ports = { bookings: await freePort(), questions: await freePort() };
    await start();
  });
  afterEach(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(directory, { recursive: true });
  });

  const post = (path: string, body: object, headers: Record<string, string> = {}, host = '127.0.0.1'): Promise<Response> =>
    fetch(`http://${host}:${ports.bookings}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { ...headers, ...fresh },
    });
  const book = (key: string): Promise<Response> =>
    post('/entries', { iban: 'DE00', amount: '1.00' }, { 'idempotency-key': `"${key}"` });
  const counts = async (): Promise<unknown> =>
    ((await (await fetch(`http://127.0.0.1:${ports.bookings}/journal`, { headers: fresh })).json()) as { counts: unknown })
      .counts;

  it('has an entry on disk before it answers', async () => {
    expect((await book('k-1')).status).to.equal(201);
    expect(await readFile(journal, 'utf8')).to.equal('{"key":"k-1","iban":"DE00","amount":"1.00"}\n');
  });

  it('has booked what it died over, once, and counts on after its return', async () => {
    await post('/drill', { mode: 'die-after-body' });
    const ended = once(child, 'exit');
    const lost = await book('k-1').catch((error: unknown) => error);
    await ended;
    expect([lost instanceof Error, child.signalCode]).to.deep.equal([true, 'SIGKILL']);
    await start();
    await book('k-2');
    expect(await counts()).to.deep.equal({ 'k-1': 1, 'k-2': 1 });
  });

  it('leaves out what a crash left half-written', async () => {
    await book('k-1');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await writeFile(journal, `${await readFile(journal, 'utf8')}{"key":"k-2","ib`);
    await start();
    expect(await counts()).to.deep.equal({ 'k-1': 1 });
    await book('k-3');
    expect(await counts()).to.deep.equal({ 'k-1': 1, 'k-3': 1 });
  });

  it('fails as often as ordered, and books nothing meanwhile', async () => {
    await post('/drill', { mode: 'fail', count: 2 });
    expect([(await book('a')).status, (await book('b')).status, (await book('c')).status]).to.deep.equal([500, 500, 201]);
    expect(await counts()).to.deep.equal({ c: 1 });
  });

  it('forgets a drill by order', async () => {
    await post('/drill', { mode: 'fail', count: 9 });
    await post('/drill', { mode: 'none' });
    expect((await book('a')).status).to.equal(201);
  });

  for (const body of [{ mode: 'explode' }, {}, { mode: 'fail', count: -1 }, { mode: 'fail', count: '2' }]) {
    it(`takes no drill ${JSON.stringify(body)}`, async () => {
      expect((await post('/drill', body)).status).to.equal(400);
    });
  }

  it('takes no drill from outside of its pod', async () => {
    const outside = Object.values(networkInterfaces()).flatMap((all = []) =>
      all.filter(({ family, internal }) => family === 'IPv4' && !internal),
    );
    const [address] = outside;
    if (address === undefined) return;
    expect((await post('/drill', { mode: 'fail' }, {}, address.address)).status).to.equal(403);
    expect((await book('a')).status).to.equal(201);
  });
});
