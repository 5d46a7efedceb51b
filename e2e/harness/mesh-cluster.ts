/**
 * A cluster for one test file: up when it is given, with the images of this working tree in its nodes and the Gateway API's
 * kinds known to it; down afterwards, whatever happened. `CLEARMESH_KEEP_CLUSTER` leaves it up, to look at.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '@clearmesh/cluster/cluster';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { gatewayApiDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { installHelm } from '@clearmesh/shared/testing/kubernetes/install-kubernetes';
import { Kubectl } from './kubectl.ts';
import { outputOf, runProgram } from './run-program.ts';
import type { CommandResult } from './command.ts';

export const repository: string = join(import.meta.dirname, '../..');

export class MeshCluster implements AsyncDisposable {
  readonly #helm: string;
  readonly cluster: Cluster;
  readonly kubectl: Kubectl;

  private constructor(cluster: Cluster, helm: string) {
    const [program = ''] = cluster.kubectlCommand([]);
    this.#helm = helm;
    this.cluster = cluster;
    this.kubectl = new Kubectl({ program, kubeconfig: cluster.kubeconfigPath });
  }

  /** A new cluster: one that an earlier run left is taken down first. */
  static async up(onProgress: (line: string) => void): Promise<MeshCluster> {
    const helm = await installHelm();
    const cluster = await Cluster.prepare({ clock: systemClock, onProgress });
    await cluster.down();
    await cluster.up();
    const up = new MeshCluster(cluster, helm);
    try {
      await up.#loadImages(onProgress);
      await up.kubectl.run(['apply', '--server-side', '-f', await gatewayApiDefinitions()]);
      return up;
    } catch (error) {
      await up[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Its standard output; throws with what helm said. */
  helm(args: readonly string[]): Promise<string> {
    return outputOf(this.#helmCommand(args), { cwd: repository, timeoutMs: 300_000 });
  }

  attemptHelm(args: readonly string[]): Promise<CommandResult> {
    return runProgram(this.#helmCommand(args), { cwd: repository, timeoutMs: 300_000 });
  }

  /** `clearmesh` against this cluster. */
  clearmesh(args: readonly string[]): Promise<CommandResult> {
    const command = ['node', join(repository, 'packages/cli/src/main.ts'), ...args, '--kubeconfig', this.kubectl.kubeconfig];
    return runProgram(command, { cwd: repository });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (process.env['CLEARMESH_KEEP_CLUSTER'] === undefined) await this.cluster.down();
  }

  #helmCommand(args: readonly string[]): readonly string[] {
    return [this.#helm, '--kubeconfig', this.kubectl.kubeconfig, ...args];
  }

  async #loadImages(onProgress: (line: string) => void): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'clearmesh-images-'));
    try {
      onProgress('building images');
      const sizes = await outputOf(['node', join(repository, 'packages/images/src/main.ts'), '--out', folder], {
        timeoutMs: 300_000,
      });
      const lines = sizes.trim().split('\n');
      for (const line of lines) onProgress(line);
      await this.cluster.load(lines.map((line) => line.split(/\s+/).at(-1) ?? ''));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
