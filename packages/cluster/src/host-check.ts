/** Whether this machine can run the cluster, and what it lacks. */
import { existsSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { mayMakeNamespaces } from '@clearmesh/lab/host/capabilities';
import { checkHost, toolPath } from '@clearmesh/lab/host/tools';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { cniPlugins } from './node/node.ts';
import { diskDirectory } from './paths.ts';

const neededMemoryMiB = 2000;
const neededDiskGiB = 4;

/** One sentence for each thing that is missing; none when the cluster can run. */
export async function whyNot(): Promise<readonly string[]> {
  const [tools, memory, disk, kernel] = await Promise.all([missingTools(), lackOfMemory(), lackOfDisk(), lackOfKernel()]);
  const root = mayMakeNamespaces(await readFile('/proc/self/status', 'utf8'))
    ? []
    : ['it makes namespaces and mounts, and that needs root (sudo)'];
  return [...root, ...tools, ...memory, ...disk, ...kernel];
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

async function lackOfKernel(): Promise<readonly string[]> {
  const filesystems = await readFile('/proc/filesystems', 'utf8');
  const overlay = /\toverlay$/m.test(filesystems) ? [] : ['the kernel has no overlay file system: sudo modprobe overlay'];
  const cgroups = existsSync('/sys/fs/cgroup') ? [] : ['no control groups are mounted at /sys/fs/cgroup'];
  return [...overlay, ...cgroups];
}
