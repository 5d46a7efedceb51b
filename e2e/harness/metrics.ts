/** What a node's ztunnel counts, read as a Prometheus does. */
import { runIn } from './command.ts';
import type { RunningMesh } from './mesh.ts';

export type Series = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** Every series of one metric at the ztunnel of a node. */
export async function scrape(mesh: RunningMesh, node: string, metric: string): Promise<readonly Series[]> {
  const place = mesh.ready.nodes.find((candidate) => candidate.name === node);
  if (place === undefined) throw new Error(`no node ${node}`);
  return scrapeIn(place.namespacePath, metric);
}

/** Of whoever counts in that network namespace, such as a waypoint. */
export async function scrapeIn(namespacePath: string, metric: string): Promise<readonly Series[]> {
  const { stdout } = await runIn(namespacePath, ['curl', '-sS', '--max-time', '5', 'http://127.0.0.1:15020/metrics']);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`))
    .map((line) => {
      const pairs = [...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [name, value] as const);
      return { labels: Object.fromEntries(pairs), value: Number(line.slice(line.lastIndexOf(' ') + 1)) };
    });
}
