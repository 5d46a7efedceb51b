import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installHelm } from '@clearmesh/shared/testing/kubernetes/install-kubernetes';

const run = promisify(execFile);

export const chartNames = ['base', 'control-plane', 'node-agent', 'ztunnel', 'waypoint', 'clearmesh'] as const;
export type ChartName = (typeof chartNames)[number];

export type HelmResult = { readonly status: number; readonly stdout: string; readonly stderr: string };

export function chartPath(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

/** Runs helm; what it says of our links on standard error is left out. */
export async function helm(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<HelmResult> {
  const program = await installHelm();
  try {
    const { stdout, stderr } = await run(program, args, { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
    return { status: 0, stdout, stderr: withoutLinks(stderr) };
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
    } = error as { readonly code?: unknown; readonly stdout?: string; readonly stderr?: string };
    return { status: typeof code === 'number' ? code : -1, stdout, stderr: withoutLinks(stderr) };
  }
}

/** The objects of a chart as they would be installed; rejects with what helm said. */
export async function render(chart: ChartName, args: readonly string[] = [], namespace = 'clearmesh-system'): Promise<string> {
  const { status, stdout, stderr } = await renderAttempt(chart, args, namespace);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** A helm of `go install` does not know which Kubernetes it is for, so it is told. */
export function renderAttempt(chart: ChartName, args: readonly string[], namespace = 'clearmesh-system'): Promise<HelmResult> {
  return helm(['template', chart, chartPath(chart), '--namespace', namespace, '--kube-version', '1.37.2', ...args]);
}

function withoutLinks(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.includes('found symbolic link in path'))
    .join('\n');
}
