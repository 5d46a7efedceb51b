import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TemporaryDirectory } from '../../src/testing/temporary-directory.ts';
import type { TestAuthority } from '../../src/testing/test-authority.ts';
import { clientUri } from './loopback.ts';

/** What a server greets with that is visited. */
export const greeting = 'hello from the mesh';

/** `openssl s_client` knows nothing of us: what it reports was really on the wire. */
export class OpenSslClient implements AsyncDisposable {
  readonly #directory: TemporaryDirectory;

  private constructor(directory: TemporaryDirectory) {
    this.#directory = directory;
  }

  /** With a certificate of the mesh. */
  static async create(authority: TestAuthority): Promise<OpenSslClient> {
    const directory = await TemporaryDirectory.create();
    const { certPem, keyPem } = await authority.issue({ uris: [clientUri] });
    await writeFile(join(directory.path, 'cert.pem'), certPem);
    await writeFile(join(directory.path, 'key.pem'), keyPem, { mode: 0o600 });
    await writeFile(join(directory.path, 'root.pem'), authority.rootPem);
    return new OpenSslClient(directory);
  }

  /** The whole output of one connection; stdin is closed once the greeting, or the end, is there. */
  visit(port: number, ...args: readonly string[]): Promise<string> {
    return this.#run(port, args, '');
  }

  /** The same, with a renegotiation asked for when the greeting is there. */
  renegotiate(port: number, ...args: readonly string[]): Promise<string> {
    return this.#run(port, args, 'R\n');
  }

  #run(port: number, args: readonly string[], command: string): Promise<string> {
    const files = ['-CAfile', 'root.pem', '-cert', 'cert.pem', '-key', 'key.pem'];
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-noservername', ...files, ...args], {
      cwd: this.#directory.path,
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += String(chunk);
      if (output.includes(greeting) && !child.stdin.writableEnded) child.stdin.end(command);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.stdin.on('error', () => {});
    return new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`openssl is needed for this test: ${error.message}`)));
      child.once('close', () => resolve(output));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#directory[Symbol.asyncDispose]();
  }
}
