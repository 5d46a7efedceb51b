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
