import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { TokenIssuer } from './fixtures/token-issuer.ts';
import { podText } from './fixtures/watched-directory.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** A child that is gone at the end of its scope, whatever happened. */
class Started implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #exit: Promise<unknown>;
  stdout = '';
  stderr = '';
  #more = Promise.withResolvers<void>();

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exit = once(this.child, 'close');
    this.child.stdout?.on('data', (bytes: Buffer) => {
      this.stdout += bytes.toString();
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    });
    this.child.stderr?.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString();
    });
  }

  async line(pattern: RegExp): Promise<Record<string, unknown>> {
    const late = AbortSignal.timeout(8000);
    for (;;) {
      const found = this.stdout.split('\n').find((text) => pattern.test(text));
      if (found !== undefined) return JSON.parse(found) as Record<string, unknown>;
      await Promise.race([
        this.#more.promise,
        new Promise((_resolve, reject) =>
          late.addEventListener('abort', () => reject(new Error(`no ${pattern} in: ${this.stdout}${this.stderr}`))),
        ),
      ]);
    }
  }

  async ended(): Promise<Outcome> {
    await this.#exit;
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    await this.#exit;
  }
}

async function files(directory: string): Promise<readonly string[]> {
  await mkdir(join(directory, 'manifests'));
  await writeFile(join(directory, 'manifests', 'a.yaml'), podText('a', '10.244.1.1'));
  await writeFile(join(directory, 'keys.json'), (await TokenIssuer.create()).keySet);
  const at = (name: string): string => join(directory, name);
  return [
    'serve',
    '--directory',
    at('manifests'),
    '--state',
    at('state'),
    '--listen',
    '127.0.0.1:0',
    '--token-keys',
    at('keys.json'),
  ];
}

describe('clearmesh-control-plane serve', () => {
  it('tells once where it listens and what it serves, and stops in order on SIGTERM', async () => {
    await using directory = await TemporaryDirectory.create();
    await using started = new Started([...(await files(directory.path)), '--admin', '127.0.0.1:0', '--log-format', 'json']);
    const line = await started.line(/control plane serves/);
    expect(line).to.deep.include({ level: 'info', configured: true, workloads: 1, services: 0, policies: 1 });
    expect(line['listen']).to.match(/^127\.0\.0\.1:\d+$/);
    const ready = await fetch(`http://${String(line['admin'])}/healthz/ready`);
    expect([ready.status, await ready.text()]).to.deep.equal([200, 'ready\n']);
    expect((await fetch(`http://${String(line['admin'])}/other`)).status).to.equal(404);
    expect((await fetch(`http://${String(line['admin'])}/metrics`, { method: 'POST' })).status).to.equal(405);
    started.child.kill('SIGTERM');
    const { code, stdout, stderr } = await started.ended();
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/"draining"[\s\S]*"stopped"/);
  });

  const wrong: readonly [string, (args: readonly string[]) => readonly string[], RegExp, number][] = [
    ['an unknown flag', (args) => [...args, '--nope'], /--nope.*MESH-CONFIG-003/, 2],
    [
      'no directory',
      (args) => args.map((arg) => arg.replace(/manifests$/, 'absent')),
      /--directory: .*absent is not a directory/,
      2,
    ],
    ['no token keys', (args) => args.map((arg) => arg.replace(/keys\.json$/, 'absent')), /--token-keys: .*absent/, 2],
    [
      'an address of another machine',
      (args) => args.map((arg) => arg.replace('127.0.0.1:0', '192.0.2.1:1')),
      /--listen: 192\.0\.2\.1:1/,
      2,
    ],
  ];
  for (const [title, change, message, code] of wrong) {
    it(`ends with a remedy when it is given ${title}`, async () => {
      await using directory = await TemporaryDirectory.create();
      await using started = new Started(change(await files(directory.path)));
      const outcome = await started.ended();
      expect(outcome.stderr).to.match(message);
      expect(outcome.stderr).to.match(/\n {2}→ /);
      expect(outcome.code).to.equal(code);
    });
  }

  it('does not start with a root key that others can read', async () => {
    await using directory = await TemporaryDirectory.create();
    const args = await files(directory.path);
    await mkdir(join(directory.path, 'state'));
    await writeFile(join(directory.path, 'state', 'ca.pem'), 'x', { mode: 0o644 });
    await using started = new Started(args);
    const { code, stderr } = await started.ended();
    expect(stderr).to.match(/mode 0644.*MESH-CERT-002[\s\S]*chmod 600/);
    expect(code).to.equal(2);
  });
});
