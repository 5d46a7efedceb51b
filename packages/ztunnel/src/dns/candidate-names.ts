/** What a name may stand for when a pod asks for it (l4-contract section 10). Pure. */

/** A name to look for; `stripped` when it was found by taking a suffix off, which the pod is told as an alias. */
export type Candidate = { readonly name: string; readonly stripped?: string };

export type Searching = {
  /** The namespace of the pod that asks. */
  readonly namespace: string;
  /** Such as `cluster.local`. */
  readonly clusterDomain: string;
  /** Search suffixes of its resolv.conf, where that is known. @default those that Kubernetes gives a pod */
  readonly searchList?: readonly string[];
};

/** In the order of preference, each name once: as asked, as Kubernetes would expand it, and then without a search suffix. */
export function candidateNames(asked: string, searching: Searching): readonly Candidate[] {
  const candidates = new Map<string, Candidate>();
  const add = (name: string, stripped?: string): void => {
    if (!candidates.has(name)) candidates.set(name, stripped === undefined ? { name } : { name, stripped });
  };
  add(asked);
  for (const name of expansions(asked, searching)) add(name);
  for (const suffix of searchSuffixes(searching)) {
    const stripped = asked.endsWith(`.${suffix}`) ? asked.slice(0, -suffix.length - 1) : '';
    if (stripped === '') continue;
    for (const name of [stripped, ...expansions(stripped, searching)]) add(name, stripped);
  }
  return [...candidates.values()];
}

/** The name, and then the wildcards that cover it, the most specific first. */
export function* withWildcards(name: string): Generator<string> {
  yield name;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const wildcard = `*${name.slice(dot)}`;
    if (wildcard !== name) yield wildcard;
  }
}

/** As in a pod's resolv.conf. */
function searchSuffixes({ namespace, clusterDomain, searchList }: Searching): readonly string[] {
  return searchList ?? [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
}

function expansions(name: string, { namespace, clusterDomain }: Searching): readonly string[] {
  const labels = name.split('.');
  const isService = labels.at(-1) === 'svc';
  switch (labels.length) {
    case 1:
      return [`${name}.${namespace}.svc.${clusterDomain}`];
    case 2:
      return [`${name}.svc.${clusterDomain}`, `${name}.${namespace}.svc.${clusterDomain}`];
    case 3:
      return [...(isService ? [`${name}.${clusterDomain}`] : []), `${name}.svc.${clusterDomain}`];
    case 4:
      return isService ? [`${name}.${clusterDomain}`] : [];
    default:
      return [];
  }
}
