/** `clearmesh proxy workloads|services|policies|certificates|connections|pods`: what ztunnels know. */
import { readFile } from 'node:fs/promises';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { ClusterPlace } from '../mesh/cluster-access.ts';
import { clusterClient } from '../mesh/cluster-objects.ts';
import { parseDump } from '../proxy/dump.ts';
import type { ZtunnelDump } from '../proxy/dump.ts';
import { getFromPod } from '../proxy/port-forward.ts';
import { proxyColumns, proxyRows } from '../proxy/tables.ts';
import type { ProxySubject, Selection } from '../proxy/tables.ts';
import { ztunnels } from '../proxy/ztunnels.ts';
import { renderRows } from '../terminal/rows.ts';
import type { CommandDeps } from './command-deps.ts';

export type ProxyOptions = {
  readonly subject: ProxySubject;
  /** A node, or a pod as `namespace/name`. @default every node, where nodes differ */
  readonly of?: string;
  /** A dump instead of a cluster. */
  readonly file?: string;
  readonly place: ClusterPlace & { readonly systemNamespace: string };
  readonly selection: Selection;
  readonly port: number;
  readonly output: 'table' | 'json';
};

type Dumped = { readonly node: string; readonly text: string; readonly dump: ZtunnelDump };

/** What every ztunnel is told alike: one is enough. */
const alike: ReadonlySet<ProxySubject> = new Set(['workloads', 'services', 'policies']);

export async function runProxy(
  options: ProxyOptions,
  { clock, env, console }: Pick<CommandDeps, 'clock' | 'env' | 'console'>,
  signal: AbortSignal,
): Promise<number> {
  const { subject, selection, output } = options;
  const dumps = options.file === undefined ? await fromCluster(options, { clock, env }, signal) : [await fromFile(options.file)];
  if (output === 'json') {
    const raw = dumps.map(({ node, text }) => ({ node, [subject]: partOf(text, subject) }));
    console.print(`${JSON.stringify(raw, undefined, 2)}\n`);
    return 0;
  }
  const withNode = dumps.length > 1;
  const rows = dumps.flatMap(({ node, dump }) =>
    proxyRows(subject, dump, selection, clock.now()).map((row) => (withNode ? { node, ...row } : row)),
  );
  const fields = [...(withNode ? ['node'] : []), ...proxyColumns[subject]];
  console.print(`${renderRows(rows, fields).join('\n')}\n`);
  return 0;
}

async function fromCluster(
  { subject, of, place, port }: ProxyOptions,
  deps: Pick<CommandDeps, 'clock' | 'env'>,
  signal: AbortSignal,
): Promise<readonly Dumped[]> {
  using api = await clusterClient(place, deps);
  const all = await ztunnels(api, place.systemNamespace, of, signal);
  const asked = of === undefined && alike.has(subject) ? all.slice(0, 1) : all;
  const dumps: Dumped[] = [];
  for (const { namespace, pod, node } of asked) {
    const text = await getFromPod(api.kubeConfig, { namespace, pod, port }, '/config_dump', signal);
    dumps.push({ node, text, dump: parseDump(text, `the answer of pod ${namespace}/${pod}`) });
  }
  return dumps;
}

async function fromFile(file: string): Promise<Dumped> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const hint = 'Name a file with what ztunnel answers to GET /config_dump.';
    throw new MeshError('MESH-CONFIG-003', { message: `the dump cannot be read from ${file}`, hint, cause });
  });
  return { node: '', text, dump: parseDump(text, file) };
}

/** As ztunnel says it: whoever reads JSON wants all of it. */
function partOf(text: string, subject: ProxySubject): unknown {
  const whole = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return whole[subject === 'connections' || subject === 'pods' ? 'workloadState' : subject] ?? [];
}
