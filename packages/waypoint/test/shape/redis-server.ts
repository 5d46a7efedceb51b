/** A real redis-server for a test: on loopback, on a port of its own, in memory only. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pauseProcess } from '@clearmesh/shared/testing/pause-process';
import type { RedisStore } from '../../src/shape/redis-client.ts';

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(port: number, process: ChildProcess, directory: string) {
    this.port = port;
    this.#process = process;
    this.#directory = directory;
  }

  /** Starts one; `options` as on its command line, such as `--maxmemory 2mb`. */
  static async start(options: readonly string[] = [], port?: number): Promise<RedisServer> {
    const own = port ?? (await freePort());
    // A replica writes a dump.rdb into its directory, and every server loads the one it finds at its start.
    const directory = await mkdtemp(path.join(tmpdir(), 'waypoint-redis-'));
    const args = [
      '--port',
      String(own),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      directory,
      ...options,
    ];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      child.once('error', () => reject(new Error('redis-server is not installed: apt-get install redis-server')));
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
      child.stdout.on('data', (text: Buffer) => {
        if (text.includes('Ready to accept connections')) resolve();
      });
    });
    return new RedisServer(own, child, directory);
  }

  store(overrides: Partial<RedisStore> = {}): RedisStore {
    return { kind: 'redis', url: `redis://127.0.0.1:${this.port}/0`, timeoutMs: 2_000, ...overrides };
  }

  /** It takes commands and answers none, as one that hangs. */
  pause(): Promise<void> {
    return pauseProcess(this.#process);
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
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
