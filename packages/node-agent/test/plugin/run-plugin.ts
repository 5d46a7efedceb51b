/** The plugin's program, run as the container runtime runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export type PluginRun = { readonly status: number | null; readonly output: string; readonly complaint: string };

const program = join(import.meta.dirname, '../../src/plugin/main.ts');

export async function runPlugin(input: string, env: Readonly<Record<string, string>>): Promise<PluginRun> {
  const child = spawn(process.execPath, [program], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  child.stdin.on('error', () => {}).end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, output, complaint };
}
