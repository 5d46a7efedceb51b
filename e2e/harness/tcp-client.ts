/** A plain TCP call from inside a pod, as an application makes it. */
import { join } from 'node:path';
import { runIn } from './command.ts';
import type { MeshPod } from './mesh.ts';

export type TcpOutcome = {
  readonly connected: boolean;
  readonly received: string;
  readonly ended: boolean;
  readonly error?: string;
  readonly closedAfterMs: number;
};

/** `holdSeconds` keeps the sending side open and ends the call after that time. */
export async function callTcp(
  from: MeshPod,
  host: string,
  port: number,
  text: string,
  holdSeconds?: number,
): Promise<TcpOutcome> {
  const script = join(import.meta.dirname, '../peers/tcp-client.ts');
  const hold = holdSeconds === undefined ? [] : ['--hold', String(holdSeconds)];
  const result = await runIn(from.namespacePath, [process.execPath, script, host, String(port), text, ...hold], {
    timeoutMs: 40_000,
  });
  return JSON.parse(result.stdout) as TcpOutcome;
}
