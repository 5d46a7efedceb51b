/** The disk of a machine: an empty tree with the few files that programs look for. */
import { randomUUID } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rootOf } from '../paths.ts';
import type { MachinePlan } from '../plan.ts';

/** Mount points of init.sh, and folders that a freshly installed node has. */
const folders = [
  'dev',
  'etc/alternatives',
  'etc/cni/net.d',
  'etc/containerd',
  'etc/kubernetes/manifests',
  'opt/cni/bin',
  'opt/kubernetes/bin',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
  'usr',
  'var/lib',
  'var/log',
  'var/tmp',
];

const files = (machine: MachinePlan): Readonly<Record<string, string>> => ({
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
  'etc/hosts': `127.0.0.1 localhost\n${machine.ip} ${machine.name}\n`,
  'etc/nsswitch.conf': 'hosts: files dns\n',
  // No machine has a resolver: what pods look up, the cluster's own DNS server knows, or nobody.
  'etc/resolv.conf': '',
  'etc/machine-id': `${randomUUID().replaceAll('-', '')}\n`,
});

/** Makes what is not there yet. */
export async function makeRootFolder(machine: MachinePlan): Promise<void> {
  const root = rootOf(machine);
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true });
  await symlink('/run', join(root, 'var/run')).catch(unlessThere);
  for (const [path, text] of Object.entries(files(machine))) {
    await writeFile(join(root, path), text, { flag: 'wx' }).catch(unlessThere);
  }
}

/** Writes a file of the machine, with its folder. */
export async function writeInside(machine: MachinePlan, path: string, text: string): Promise<void> {
  const target = join(rootOf(machine), path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, text, { mode: 0o600 });
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
