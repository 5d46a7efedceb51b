/** A redis-server that writes every change to its log before it answers, and may die, hang and come back with all it knew. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RedisStore } from '../../src/shape/redis-client.ts';
import { RedisServer } from '../shape/redis-server.ts';

export class LoggedRedis implements AsyncDisposable {
  readonly #directory: string;
  #server: RedisServer;
  #state: 'up' | 'paused' | 'dead' = 'up';

  private constructor(server: RedisServer, directory: string) {
    this.#server = server;
    this.#directory = directory;
  }

  static async start(): Promise<LoggedRedis> {
    const directory = await mkdtemp(path.join(tmpdir(), 'waypoint-fault-runs-'));
    return new LoggedRedis(await RedisServer.start(optionsFor(directory)), directory);
  }

  /** @param database of 0 to 15: another one is another connection */
  store(database: number): RedisStore {
    return this.#server.store({ url: `redis://127.0.0.1:${this.#server.port}/${database}`, timeoutMs: 150 });
  }

  async pause(): Promise<void> {
    this.#state = 'paused';
    await this.#server.pause();
  }

  async kill(): Promise<void> {
    this.#state = 'dead';
    await this.#server.kill();
  }

  /** As before, whatever was done to it. */
  async restore(): Promise<void> {
    if (this.#state === 'paused') this.#server.resume();
    if (this.#state === 'dead') {
      const { port } = this.#server;
      await this.#server[Symbol.asyncDispose]();
      this.#server = await RedisServer.start(optionsFor(this.#directory), port);
    }
    this.#state = 'up';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** The last of several options counts. */
function optionsFor(directory: string): readonly string[] {
  return ['--dir', directory, '--appendonly', 'yes', '--appendfsync', 'always'];
}
