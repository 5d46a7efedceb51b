/** Where the cluster keeps what. Two folders, so that images do not lie in memory where /run does. */
import { join } from 'node:path';
import type { MachinePlan } from './plan.ts';

/** What users need. */
export const stateDirectory = '/run/clearmesh-cluster';
export const kubeconfigPath: string = join(stateDirectory, 'kubeconfig');

/** The machines' disks. */
export const diskDirectory = '/var/lib/clearmesh-cluster';

/** The root of a machine's file system, as this machine sees it: files written below it are files of the machine. */
export function rootOf({ name }: MachinePlan): string {
  return join(diskDirectory, name, 'root');
}

/** What a program of a machine said. */
export function logOf(machine: MachinePlan, program: string): string {
  return join(rootOf(machine), 'var/log', `${program}.log`);
}

/** Inside every machine: Kubernetes' programs, from the cache. */
export const programsInside = '/opt/kubernetes/bin';
