/** One bash that lives over many commands: what one exports or defines, the next one has. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const mark = 'clearmesh-command-ended';

export class Shell implements AsyncDisposable {
  readonly #child: ChildProcess;
  #said = '';
  #wake = Promise.withResolvers<void>();

  constructor(cwd: string) {
    this.#child = spawn('bash', ['--noprofile', '--norc'], { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    const recv = (chunk: Buffer): void => {
      this.#said += chunk.toString();
      this.#wake.resolve();
    };
    this.#child.stdout?.on('data', recv);
    this.#child.stderr?.on('data', recv);
    this.#child.on('exit', () => this.#wake.resolve());
  }

  /** Both outputs; throws with them when a command of the script fails. */
  async run(script: string): Promise<string> {
    this.#said = '';
    // In the shell itself, so that its definitions stay; the first command that fails ends the script, not the shell.
    // The mark begins a line, whatever the last command ended with.
    this.#child.stdin?.write(
      `eval "$(cat <<'${mark}-script'\n${script.replaceAll(/\n(?!$)/g, ' && \n')}\n${mark}-script\n)"; printf '\\n${mark} %s\\n' "$?"\n`,
    );
    for (;;) {
      const ended = new RegExp(`^${mark} (\\d+)$`, 'm').exec(this.#said);
      if (ended !== null) {
        const text = this.#said.slice(0, ended.index);
        if (ended[1] !== '0') throw new Error(`${script}\nended with ${ended[1]}:\n${text}`);
        return text;
      }
      if (this.#child.exitCode !== null) throw new Error(`the shell has ended:\n${this.#said}`);
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}
