/** Whether this machine can run the cluster, and what it lacks. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mayMakeNamespaces } from '@clearmesh/lab/host/capabilities';
import { createRunTool } from '@clearmesh/lab/host/run-tool';
import { checkHost, toolPath } from '@clearmesh/lab/host/tools';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { whyNoCgroups } from './machine/cgroups.ts';
import { cniPlugins, diskDirectory } from './paths.ts';

const neededMemoryMiB = 2000;
const neededDiskGiB = 4;

/** One sentence for each thing that is missing; none when the cluster can run. */
export async function whyNot(): Promise<readonly string[]> {
  const [tools, memory, disk] = await Promise.all([missingTools(), lackOfMemory(), lackOfDisk()]);
  if (!mayMakeNamespaces(await readFile('/proc/self/status', 'utf8')))
    return ['it makes namespaces and mounts, and that needs root (sudo)', ...tools, ...memory, ...disk];
  const kernel = await Promise.all([whyNoCgroups(), lackOfOverlays()]);
  return [...tools, ...memory, ...disk, ...kernel.filter((reason) => reason !== undefined)];
}

/** Throws MESH-HOST-001 with all of it. */
export async function requireHost(): Promise<void> {
  const reasons = await whyNot();
  if (reasons.length === 0) return;
  const message = `this machine cannot run the cluster:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`;
  throw new MeshError('MESH-HOST-001', { message });
}

async function missingTools(): Promise<readonly string[]> {
  const missing = await checkHost({ needs: ['lab', 'cluster'], path: `${toolPath(process.env)}:${cniPlugins.folder}` });
  return missing.map(
    ({ tool, neededFor, debianPackage }) => `${tool} is not installed (${neededFor}): sudo apt-get install ${debianPackage}`,
  );
}

async function lackOfMemory(): Promise<readonly string[]> {
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1] ?? 0) / 1024;
  if (available >= neededMemoryMiB) return [];
  return [`it takes ${neededMemoryMiB} MiB of memory, and ${Math.floor(available)} MiB are free`];
}

async function lackOfDisk(): Promise<readonly string[]> {
  const { bavail, bsize } = await statfs(existsSync(diskDirectory) ? diskDirectory : dirname(diskDirectory));
  const freeGiB = (bavail * bsize) / 2 ** 30;
  return freeGiB >= neededDiskGiB ? [] : [`${diskDirectory} takes ${neededDiskGiB} GiB, and ${freeGiB.toFixed(1)} GiB are free`];
}

/** Tried on the disk of the nodes, in a mount namespace that ends with the trial. */
async function lackOfOverlays(): Promise<string | undefined> {
  const parent = existsSync(diskDirectory) ? diskDirectory : dirname(diskDirectory);
  const folder = await mkdtemp(join(parent, 'clearmesh-overlay-'));
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(folder, name));
    const mount = 'cd "$0" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged';
    await createRunTool(process.env)(['unshare', '--mount', 'sh', '-c', mount, folder]);
    return undefined;
  } catch (error) {
    const said = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error);
    return `overlay file systems cannot be mounted in ${parent}: ${said}. Perhaps: sudo modprobe overlay`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
