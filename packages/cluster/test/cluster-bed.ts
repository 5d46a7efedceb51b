/** What the cluster tests share: a cluster, objects in it, and commands against both. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { stampOf } from '@clearmesh/lab/process/proc-stat';
import type { ProcessStamp } from '@clearmesh/lab/process/proc-stat';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { Cluster } from '../src/cluster.ts';

/** Programs may have to be built before anything starts. */
export const firstStartMs = 3_600_000;

const run = promisify(execFile);

export function prepare(): Promise<Cluster> {
  return Cluster.prepare({ clock: systemClock, onProgress: () => {} });
}

/** The network of this machine itself, for a look whether the cluster changed it. */
export async function machineNetwork(): Promise<string> {
  const asked = [
    ['ip', '-brief', 'link'],
    ['ip', 'route'],
    ['nft', 'list', 'ruleset'],
  ];
  const answers = await Promise.all(asked.map(([file = '', ...args]) => run(file, args)));
  // Others come and go on a machine: only what bears the cluster's mark is ours.
  return answers
    .flatMap(({ stdout }) => stdout.split('\n').filter((line) => /cmcluster|10\.98\.0\.|10\.244\.|cni|kube/.test(line)))
    .join('\n');
}

/** A process and all below it, those that run. */
export function descendants(pid: number): readonly ProcessStamp[] {
  const stamp = stampOf(pid);
  if (stamp === undefined) return [];
  const children = unlessEnded(() => readdirSync(`/proc/${pid}/task`), []).flatMap((task) => {
    const text = unlessEnded(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'), '').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  });
  return [stamp, ...children.flatMap((child) => descendants(child))];
}

/** The name of a process; empty when it ended. */
export function nameOf({ pid }: ProcessStamp): string {
  return unlessEnded(() => readFileSync(`/proc/${pid}/comm`, 'utf8'), '').trim();
}

/** Probes and health checks come and go on a cluster while somebody looks. */
function unlessEnded<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return otherwise;
    throw error;
  }
}

/** Runs the command line's program until it says a line that matches; gives the process, still running. */
export async function untilItSays(args: readonly string[], pattern: RegExp): Promise<ReturnType<typeof spawn>> {
  const [file = '', ...rest] = args;
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${args.join(' ')} ended with ${String(code)} before it said ${String(pattern)}`);
  });
  const said = Promise.any([child.stdout, child.stderr].map((output) => lineIn(output, pattern)));
  await Promise.race([said, ended]);
  ended.catch(() => {});
  return child;
}

async function lineIn(output: NodeJS.ReadableStream, pattern: RegExp): Promise<string> {
  for await (const line of createInterface({ input: output })) if (pattern.test(line)) return line;
  throw new Error('no such line');
}

/** Two pods behind a Service, one on each node; each answers with its name. */
export function bank(namespace: string): string {
  const labels = { app: 'ledger' };
  const probe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'ledger', namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: 'kubernetes.io/hostname',
                whenUnsatisfiable: 'DoNotSchedule',
                labelSelector: { matchLabels: labels },
              },
            ],
            containers: [
              {
                name: 'ledger',
                image: 'clearmesh/busybox:1',
                imagePullPolicy: 'Never',
                command: ['sh', '-c', 'mkdir /www; hostname > /www/index.html; exec httpd -f -vv -p 8080 -h /www'],
                readinessProbe: probe,
                livenessProbe: probe,
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'ledger', namespace },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

/** The file is the pod's, the resolver is that of this machine's C library. The server is older than what it forks for each probe. */
const asked = `
pid=$(pidof httpd | tr ' ' '\\n' | sort -n | head -n 1)
cat /proc/$pid/root/etc/resolv.conf > /tmp/resolv.conf
mount --bind /tmp/resolv.conf /etc/resolv.conf
exec nsenter --target $pid --net getent ahostsv4 "$1"
`;

/** What a program with a resolver finds in the ledger's pod on a node; busybox's own, being static, resolves nothing. */
export function resolveInLedger(cluster: Cluster, node: string, name: string): Promise<string> {
  return cluster.machine(node).run(['unshare', '--mount', 'sh', '-euc', asked, 'sh', name]);
}

export type BankPod = { readonly name: string; readonly ip: string };

/** The pod of the ledger on a node. */
export async function ledgerOn(cluster: Cluster, namespace: string, node: string): Promise<BankPod> {
  const template = '{.items[0].metadata.name} {.items[0].status.podIP}';
  const text = await cluster.kubectl([
    `--namespace=${namespace}`,
    'get',
    'pods',
    '--selector=app=ledger',
    `--field-selector=spec.nodeName=${node}`,
    `--output=jsonpath=${template}`,
  ]);
  const [name = '', ip = ''] = text.split(' ');
  return { name, ip };
}
