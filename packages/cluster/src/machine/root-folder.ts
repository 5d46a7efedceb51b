/** The disk of a machine: an empty tree with the few files that programs look for. Files appear whole or not at all. */
import { randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
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
  // nft prints protocols by these names, or by number. kube-proxy compares what is there with names, and after a restart
  // would delete as stale, by number, each element of its maps that it just made by name.
  'etc/protocols': 'ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n',
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
  const draft = `${target}.draft`;
  await mkdir(dirname(target), { recursive: true });
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, target);
}

/** True when a file of the machine says just that. */
export async function saysInside(machine: MachinePlan, path: string, text: string): Promise<boolean> {
  return (await contentOf(join(rootOf(machine), path)))?.equals(Buffer.from(text)) === true;
}

/** Copies a file to where it may be in use: what is the same already is not touched, what is not is replaced at once. */
export async function installFile(source: string, target: string, mode: number): Promise<void> {
  const [wanted, there] = await Promise.all([readFile(source), contentOf(target)]);
  if (there?.equals(wanted) === true) return;
  const draft = `${target}.draft`;
  await copyFile(source, draft);
  await chmod(draft, mode);
  await rename(draft, target);
}

function contentOf(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
