/** Two kubelets share one tree of control groups: each gets a branch of its own, and the branch goes with the cluster. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { MachinePlan } from '../plan.ts';

const mountPoint = '/sys/fs/cgroup';
const trunk = 'clearmesh-cluster';
const pollMs = 50;
const patienceMs = 10_000;

/** As the kubelet's `cgroupRoot` names it. */
export function cgroupOf({ name }: MachinePlan): string {
  return `/${trunk}/${name}`;
}

export async function makeCgroups(machine: MachinePlan): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    let folder = hierarchy;
    for (const name of [trunk, machine.name]) {
      const parent = folder;
      folder = join(folder, name);
      await mkdir(folder, { recursive: true });
      await inheritCpus(parent, folder);
    }
  }
}

/** Removes the whole branch of all machines; the kernel refuses while anybody is in it, so processes go before. */
export async function removeCgroups(clock: Clock): Promise<void> {
  const deadline = AbortSignal.timeout(patienceMs);
  for (const hierarchy of await hierarchies()) {
    const folder = join(hierarchy, trunk);
    while (existsSync(folder) && !(await removeTree(folder))) await delay(clock, pollMs, deadline);
  }
}

/** Removes the groups below a machine's, whose processes are gone. */
export async function emptyCgroups(machine: MachinePlan): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const folder = join(hierarchy, trunk, machine.name);
    const below = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of below) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  }
}

/** Which hierarchies have something of the cluster; for the look whether anything was left. */
export async function leftCgroups(): Promise<readonly string[]> {
  return (await hierarchies()).map((hierarchy) => join(hierarchy, trunk)).filter((folder) => existsSync(folder));
}

/** Why no group can be made here; `undefined` when one can, as was just tried. */
export async function whyNoCgroups(): Promise<string | undefined> {
  const found = await hierarchies();
  if (found.length === 0) return `no control groups are mounted at ${mountPoint}`;
  for (const hierarchy of found) {
    const probe = join(hierarchy, `${trunk}-probe-${process.pid}`);
    try {
      await mkdir(probe);
      await rmdir(probe);
    } catch (error) {
      return `control groups cannot be made: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}

/** Version 2 is one tree; version 1 has one for each controller. */
async function hierarchies(): Promise<readonly string[]> {
  if (existsSync(join(mountPoint, 'cgroup.controllers'))) return [mountPoint];
  const names = await readdir(mountPoint).catch(() => []);
  return names.map((name) => join(mountPoint, name)).filter((folder) => existsSync(join(folder, 'cgroup.procs')));
}

/** cpuset(7): a new group of version 1 has no processors, and takes no process until it has. */
async function inheritCpus(parent: string, folder: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const target = join(folder, file);
    if (!existsSync(target) || existsSync(join(folder, 'cgroup.controllers'))) continue;
    if ((await readFile(target, 'utf8')).trim() !== '') continue;
    await writeFile(target, await readFile(join(parent, file), 'utf8'));
  }
}

/** True when the group and all below are gone. */
async function removeTree(folder: string): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  return rmdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}
