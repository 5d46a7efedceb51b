/** A real OPA for tests: builds bundles, serves policies. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { installOpa } from '@clearmesh/shared/testing/install-opa';
import { pauseProcess } from '@clearmesh/shared/testing/pause-process';

const run = promisify(execFile);

/** Files by name, such as `policy.rego`. */
export type PolicyFiles = Readonly<Record<string, string>>;

/** A directory that goes when the test has ended. */
export async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'waypoint-opa-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** `opa build -t wasm` to a tar.gz at `output`. */
export async function buildBundle(files: PolicyFiles, entrypoint: string, output: string): Promise<void> {
  await using directory = await temporaryDirectory();
  await write(directory.path, files);
  await buildIn(directory.path, ['-e', entrypoint, '-o', output, '.']);
}

/** `opa build -t wasm` in a directory. */
export async function buildIn(cwd: string, options: readonly string[]): Promise<void> {
  await run(await installOpa(), ['build', '-t', 'wasm', ...options], { cwd });
}

export type OpaServer = AsyncDisposable & {
  readonly url: string;
  /** It takes questions and answers none, as one that hangs. */
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
};

/** `opa run --server` on loopback. */
export async function startOpa(files: PolicyFiles): Promise<OpaServer> {
  const opa = await installOpa();
  const directory = await temporaryDirectory();
  await write(directory.path, files);
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(opa, ['run', '--server', '--addr', address, '--log-level', 'error', directory.path], { stdio: 'ignore' });
  const url = `http://${address}`;
  await answering(url, child);
  return {
    url,
    pause: () => pauseProcess(child),
    resume: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function write(directory: string, files: PolicyFiles): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`opa run ended with code ${child.exitCode}`);
    try {
      if ((await fetch(`${url}/health`)).ok) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
