/**
 * A program of the mesh that is kept running, as a kubelet keeps a Deployment or DaemonSet.
 *
 *   running ── ends by itself ──▶ resting ── back-off ──▶ running
 *      └────────── dispose ──────────┴──▶ stopped
 *
 * P1  it is started again with the same command; its log goes on in one piece.
 * P2  what ends again and again is no accident: the third end within ten seconds is a failure, and nothing is tried more.
 */
import type { Lab } from '@clearmesh/lab/lab';
import type { SpawnOptions, SupervisedProcess } from '@clearmesh/lab/process/supervised-process';
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import type { Cancel, Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { LogLines } from './log-lines.ts';
import type { OnOutput } from './output.ts';

export type ProgramDeps = {
  readonly lab: Pick<Lab, 'spawn'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly say: (line: string) => void;
  readonly onOutput: OnOutput;
};

type State =
  | { readonly kind: 'running'; readonly child: SupervisedProcess }
  | { readonly kind: 'resting'; readonly cancel: Cancel }
  | { readonly kind: 'stopped' };

const endsTolerated = { count: 2, withinMs: 10_000 } as const;
const stopGraceMs = 5000;

export class Program implements AsyncDisposable {
  readonly name: string;
  readonly log: LogLines;
  readonly #options: SpawnOptions;
  readonly #deps: ProgramDeps;
  readonly #backoff: Backoff;
  readonly #failure = new AbortController();
  #ends: readonly number[] = [];
  #state: State;

  private constructor(options: SpawnOptions, deps: ProgramDeps, log: LogLines, child: SupervisedProcess) {
    this.name = options.name;
    this.log = log;
    this.#options = options;
    this.#deps = deps;
    this.#backoff = new Backoff({ initialMs: 200, maxMs: 5000, jitter: 0.2 }, deps);
    this.#state = { kind: 'running', child };
    this.#follow(child);
  }

  static async start(options: Omit<SpawnOptions, 'onLine'>, deps: ProgramDeps): Promise<Program> {
    const log = new LogLines();
    const onLine: SpawnOptions['onLine'] = (stream, line) => {
      log.recvLine(line);
      deps.onOutput(options.name, stream, line);
    };
    const whole = { ...options, onLine };
    return new Program(whole, deps, log, await deps.lab.spawn(whole));
  }

  /** The process that runs now; `undefined` between an end and the next start. */
  get pid(): number | undefined {
    return this.#state.kind === 'running' ? this.#state.child.pid : undefined;
  }

  /** Aborts with a MeshError that holds the last words (P2). */
  get failure(): AbortSignal {
    return this.#failure.signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'stopped' };
    if (state.kind === 'resting') state.cancel();
    if (state.kind === 'running') await state.child.stop(stopGraceMs);
  }

  #follow(child: SupervisedProcess): void {
    void child.exited.then(({ code, signal }) => this.#recvEnd(child, code ?? signal));
  }

  #recvEnd(child: SupervisedProcess, status: number | string | null): void {
    if (this.#state.kind !== 'running') return;
    const now = this.#deps.clock.monotonicMs();
    const recent = this.#ends.filter((at) => now - at < endsTolerated.withinMs);
    if (recent.length === 0) this.#backoff.reset();
    this.#ends = [...recent, now];
    if (this.#ends.length > endsTolerated.count) {
      this.#state = { kind: 'stopped' };
      return this.#failure.abort(lastWords(this.name, child));
    }
    const delayMs = this.#backoff.next();
    this.#deps.say(`${this.name} ended by itself (${status}); it is started again`);
    this.#state = { kind: 'resting', cancel: this.#deps.clock.after(delayMs, () => void this.#restart()) };
  }

  async #restart(): Promise<void> {
    try {
      const child = await this.#deps.lab.spawn(this.#options);
      if (this.#state.kind !== 'resting') return child.kill();
      this.#state = { kind: 'running', child };
      this.#follow(child);
    } catch (thrown) {
      this.#state = { kind: 'stopped' };
      this.#failure.abort(MeshError.from(thrown, 'MESH-HOST-001'));
    }
  }
}

function lastWords(name: string, child: SupervisedProcess): MeshError {
  const words = child.tail().slice(-8).join('\n  ');
  return new MeshError('MESH-HOST-001', {
    message: `${name} keeps ending: ${words === '' ? 'without a word' : `\n  ${words}`}`,
    hint: 'Its last words say why; run clearmesh again after mending the cause.',
  });
}
