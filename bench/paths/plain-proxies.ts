/** Proxies without TLS before one nginx, all in the namespace of one pod, so that there is nothing between them but loopback. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Lab } from '@clearmesh/lab/lab';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { envoyArguments, envoyConfig } from './envoy-config.ts';
import { answering } from './http-path.ts';
import type { HttpPath } from './http-path.ts';
import { httpPort } from './path.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const files = join(import.meta.dirname, '../manifests');
const firstProxyPort = 9081;

export class PlainProxies implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #namespacePath: string;
  #nextPort = firstProxyPort;

  private constructor(lab: Lab, namespacePath: string) {
    this.#lab = lab;
    this.#namespacePath = namespacePath;
  }

  /** With the server running. */
  static async open(): Promise<PlainProxies> {
    await using stack = new AsyncDisposableStack();
    const lab = stack.use(await Lab.create({ nodes: ['node-a'] }, deps));
    const { namespacePath } = await lab.addPod({ node: 'node-a', namespace: 'plain', name: 'all' });
    const cwd = join(lab.workDir, 'nginx');
    await mkdir(cwd);
    await cp(join(files, 'nginx.conf'), join(cwd, 'nginx.conf'));
    const command = ['nginx', '-p', `${cwd}/`, '-g', `pid ${cwd}/pid;`, '-c', 'nginx.conf'];
    await answering(lab, await lab.spawn({ name: 'nginx', namespacePath, command, cwd }), httpPort);
    stack.move();
    return new PlainProxies(lab, namespacePath);
  }

  /** For files of a bench; it goes with the proxies. */
  get workDir(): string {
    return this.#lab.workDir;
  }

  /** No proxy: the client asks the server itself. */
  get direct(): HttpPath {
    return { name: 'no proxy', clientNamespacePath: this.#namespacePath, url: `http://127.0.0.1:${httpPort}/`, pids: [] };
  }

  /** A program of this folder with `LISTEN_PORT UPSTREAM_URL` and further arguments. */
  node(name: string, program: string, args: readonly string[] = []): Promise<HttpPath> {
    const file = join(import.meta.dirname, program);
    return this.#start(name, (port) => [process.execPath, file, String(port), `http://127.0.0.1:${httpPort}`, ...args]);
  }

  /** Envoy with one worker. */
  async envoy(name: string, binary: string): Promise<HttpPath> {
    const port = this.#nextPort;
    const config = envoyConfig({
      listen: { ip: '127.0.0.1', port },
      upstream: { ip: '127.0.0.1', port: httpPort },
      accessLog: '/dev/null',
    });
    const file = join(this.#lab.workDir, `envoy-${port}.json`);
    await writeFile(file, JSON.stringify(config));
    return this.#start(name, () => [binary, ...envoyArguments, '-c', file]);
  }

  /** An OPA server that has the bundle. */
  async opa(binary: string, bundle: string): Promise<{ readonly url: string; readonly pid: number }> {
    const port = this.#nextPort++;
    const address = `127.0.0.1:${port}`;
    const command = [binary, 'run', '--server', '--addr', address, '--log-level', 'error', '--skip-version-check', '-b', bundle];
    const server = await this.#lab.spawn({ name: 'opa', namespacePath: this.#namespacePath, command });
    await answering(this.#lab, server, port);
    return { url: `http://${address}`, pid: server.pid };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
  }

  async #start(name: string, command: (port: number) => readonly string[]): Promise<HttpPath> {
    const port = this.#nextPort++;
    const options = { name, namespacePath: this.#namespacePath, command: command(port) };
    const { pid } = await answering(this.#lab, await this.#lab.spawn(options), port);
    return { name, clientNamespacePath: this.#namespacePath, url: `http://127.0.0.1:${port}/`, pids: [pid] };
  }
}
