/** The scheduler: which node a pod runs on. Pure; a pod never moves while it lives. */

export type Unplaced = {
  readonly key: string;
  /** `spec.nodeName`, where the manifest has one. */
  readonly nodeName: string | undefined;
};

/** The nodes to simulate: those the manifests name, then `node-a`, `node-b`, … up to `atLeast`. */
export function nodeNames(named: Iterable<string | undefined>, atLeast: number): readonly string[] {
  const names = new Set([...named].filter((name) => name !== undefined));
  for (let i = 0; names.size < atLeast; i++) names.add(`node-${String.fromCharCode('a'.charCodeAt(0) + i)}`);
  return [...names].sort();
}

/** Node by pod key: the node asked for, else the one it is on, else the one with the fewest pods. */
export function place(
  pods: readonly Unplaced[],
  nodes: readonly string[],
  current: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const placed = new Map<string, string>();
  const load = new Map(nodes.map((node) => [node, 0]));
  const settle = (key: string, node: string): void => {
    placed.set(key, node);
    load.set(node, (load.get(node) ?? 0) + 1);
  };
  const free: string[] = [];
  for (const { key, nodeName } of pods) {
    const node = nodeName ?? current.get(key);
    if (node === undefined) free.push(key);
    else settle(key, node);
  }
  for (const key of free) {
    const [least] = [...nodes].sort((a, b) => (load.get(a) ?? 0) - (load.get(b) ?? 0));
    if (least !== undefined) settle(key, least);
  }
  return placed;
}
