/** The cluster as its users see it: through kubectl. */
import { outputOf, runProgram } from './run-program.ts';
import type { CommandResult } from './command.ts';
import type { ProgramOptions } from './run-program.ts';

export type KubernetesObject = {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly creationTimestamp: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
};

export class Kubectl {
  readonly #program: string;
  readonly kubeconfig: string;

  constructor(options: { readonly program: string; readonly kubeconfig: string }) {
    this.#program = options.program;
    this.kubeconfig = options.kubeconfig;
  }

  /** Standard output; throws with what kubectl said. */
  run(args: readonly string[], options?: ProgramOptions): Promise<string> {
    return outputOf(this.command(args), options);
  }

  /** The outcome, whatever it is. */
  attempt(args: readonly string[], options?: ProgramOptions): Promise<CommandResult> {
    return runProgram(this.command(args), options);
  }

  command(args: readonly string[]): readonly string[] {
    return [this.#program, '--kubeconfig', this.kubeconfig, ...args];
  }

  /** Waits for every Deployment of a namespace; rejects with its pods and events, since the cluster is gone when one reads it. */
  async rolledOut(namespace: string, limitSeconds = 120): Promise<void> {
    const status = ['-n', namespace, 'rollout', 'status', 'deployment', `--timeout=${limitSeconds}s`];
    const { code, stdout, stderr } = await this.attempt(status, { timeoutMs: limitSeconds * 1000 + 30_000 });
    if (code === 0) return;
    const look = async (...args: readonly string[]): Promise<string> => (await this.attempt(['-n', namespace, ...args])).stdout;
    const pods = await look('get', 'pods', '-o', 'wide');
    const events = (await look('get', 'events', '--sort-by=.lastTimestamp')).split('\n').slice(-40).join('\n');
    throw new Error(`${namespace} is not rolled out: ${stderr}${stdout}\n${pods}\n${events}`);
  }

  async get(kind: string, namespace: string, selector = ''): Promise<readonly KubernetesObject[]> {
    const text = await this.run(['get', kind, '-n', namespace, '-l', selector, '-o', 'json']);
    return (JSON.parse(text) as { readonly items: readonly KubernetesObject[] }).items;
  }

  async apply(manifests: string): Promise<void> {
    await this.run(['apply', '-f', '-'], { input: manifests });
  }

  /** Runs a command in a pod (`deploy/payments` or a pod's name). */
  exec(namespace: string, target: string, command: readonly string[], options?: ProgramOptions): Promise<CommandResult> {
    return this.attempt(['exec', '-i', '-n', namespace, target, '--', ...command], options);
  }
}
