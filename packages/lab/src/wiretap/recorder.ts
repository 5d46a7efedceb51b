/** The program that writes a link's packets to a file: tcpdump, or our own where that is missing or cannot run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { RunTool } from '../host/run-tool.ts';
import { checkHost } from '../host/tools.ts';
import type { LinkEnd } from '../topology/plan.ts';

/** The command that records `end` into `file`. Both say `listening on` when they do. */
export async function recorderCommand(end: LinkEnd, file: string, deps: { readonly run: RunTool }): Promise<readonly string[]> {
  if (await isTcpdumpUsable()) {
    // -U and immediate mode: each packet reaches the file at once. -Z root: the file stays ours.
    return ['tcpdump', '-i', end.device, '-n', '-U', '-w', file, '--immediate-mode', '-Z', 'root'];
  }
  const index = await interfaceIndex(end, deps);
  return [process.execPath, join(import.meta.dirname, 'recorder-main.ts'), String(index), file];
}

/** tcpdump as root insists on setgroups(2), which user namespaces of ordinary users are denied for good (user_namespaces(7)). */
async function isTcpdumpUsable(): Promise<boolean> {
  const setgroups = await readFile('/proc/self/setgroups', 'utf8').catch(() => 'allow');
  return setgroups.trim() !== 'deny' && (await checkHost({ needs: ['wiretap'] })).length === 0;
}

async function interfaceIndex({ namespace, device }: LinkEnd, deps: { readonly run: RunTool }): Promise<number> {
  const answer = await deps.run(['ip', '-netns', namespace, '-oneline', 'link', 'show', 'dev', device]);
  const index = Number.parseInt(answer, 10);
  if (!Number.isInteger(index))
    throw new MeshError('MESH-LAB-001', { message: `ip names no index for ${device}: ${answer.trim()}` });
  return index;
}
