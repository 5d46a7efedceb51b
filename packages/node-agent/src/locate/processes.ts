/** The node's processes that belong to pods, read from the host's /proc. A process may end at any moment: it is left out then. */
import { readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { podUidOf, startTimeOf } from './cgroup.ts';

export type PodProcess = {
  readonly pid: number;
  /** UID of the pod, or the hash of its file. */
  readonly podUid: string;
  readonly startTime: number;
  /** As the kernel names its network namespace, such as `net:[4026532281]`. */
  readonly namespace: string;
};

/** Files read at a time. */
const concurrency = 32;

/** Every process that is in the cgroup of a pod and in another network namespace than the host's, the oldest first. */
export async function podProcesses(procPath: string, hostNamespace: string): Promise<readonly PodProcess[]> {
  const pids = (await readdir(procPath)).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: PodProcess[] = [];
  for (let at = 0; at < pids.length; at += concurrency) {
    const some = await Promise.all(pids.slice(at, at + concurrency).map((pid) => readProcess(procPath, pid)));
    found.push(
      ...some
        .filter((process) => process !== undefined && process.namespace !== hostNamespace)
        .map((process) => process as PodProcess),
    );
  }
  return found.sort((left, right) => left.startTime - right.startTime);
}

async function readProcess(procPath: string, pid: number): Promise<PodProcess | undefined> {
  try {
    const folder = join(procPath, String(pid));
    const podUid = podUidOf(await readFile(join(folder, 'cgroup'), 'utf8'));
    if (podUid === undefined) return undefined;
    const startTime = startTimeOf(await readFile(join(folder, 'stat'), 'utf8'));
    return startTime === undefined ? undefined : { pid, podUid, startTime, namespace: await readlink(join(folder, 'ns/net')) };
  } catch {
    return undefined;
  }
}
