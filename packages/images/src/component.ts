/** What images there are, and what lies in each beside Node and the bundle. */

/** The images by their last name; the hub stands before it. */
export const componentNames = ['control-plane', 'ztunnel', 'waypoint', 'node-agent', 'cli', 'bank'] as const;
export type ComponentName = (typeof componentNames)[number];

export type Component = {
  readonly name: ComponentName;
  readonly title: string;
  readonly description: string;
  /** The program, below the repository. */
  readonly entry: string;
  /** Further programs that the first one starts by name, such as `payments.mjs` for `payments`. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Whether it runs as nobody in particular (1337), or needs the rights of root over a node. */
  readonly user: 'unprivileged' | 'root';
  /** Packages with native code; each lies beside the bundle. */
  readonly nativePackages: readonly string[];
  /** Programs of the machine that it runs, with the Debian package of each. */
  readonly tools: Readonly<Record<string, string>>;
  /** Whether the CNI plugin lies in it, for the agent to install. */
  readonly cniPlugin: boolean;
};

/** Each flavour of iptables that the agent may be told to use, of both families: to make rules, to show them, to look by hand. */
const iptables = Object.fromEntries(
  ['iptables', 'iptables-nft', 'iptables-legacy']
    .flatMap((flavour) => [flavour, flavour.replace('iptables', 'ip6tables')])
    .flatMap((program) => [program, `${program}-save`, `${program}-restore`])
    .map((program) => [program, 'iptables']),
);

const plain = { user: 'unprivileged', nativePackages: [], tools: {}, cniPlugin: false } as const;

const components: Readonly<Record<ComponentName, Omit<Component, 'name'>>> = {
  'control-plane': {
    ...plain,
    title: 'Clearmesh control plane',
    description: 'Tells node proxies and waypoints what the mesh looks like, and certifies its workloads.',
    entry: 'packages/control-plane/src/main.ts',
  },
  ztunnel: {
    ...plain,
    title: 'Clearmesh ztunnel',
    description: 'The node proxy: carries every connection of the enrolled pods of its node in mutual TLS.',
    entry: 'packages/ztunnel/src/main.ts',
    user: 'root',
    nativePackages: ['koffi'],
  },
  waypoint: {
    ...plain,
    title: 'Clearmesh waypoint',
    description: 'The HTTP proxy of a namespace or banking domain.',
    entry: 'packages/waypoint/src/main.ts',
  },
  'node-agent': {
    ...plain,
    title: 'Clearmesh node agent',
    description: 'Puts the pods of its node into the mesh, and installs the CNI plugin.',
    entry: 'packages/node-agent/src/main.ts',
    user: 'root',
    nativePackages: ['koffi'],
    tools: { nft: 'nftables', ...iptables, ipset: 'ipset', ip: 'iproute2', nsenter: 'util-linux' },
    cniPlugin: true,
  },
  cli: {
    ...plain,
    title: 'clearmesh',
    description: 'The clearmesh command, for checks from inside a cluster.',
    entry: 'packages/cli/src/main.ts',
    nativePackages: ['koffi'],
  },
  bank: {
    ...plain,
    title: 'Clearmesh small bank',
    description: 'The services of the example bank; the argument says which one runs.',
    entry: 'examples/bank/services/main.ts',
  },
};

export function componentOf(name: ComponentName): Component {
  return { name, ...components[name] };
}

/** Version of the images and of the charts. */
export const imageVersion = '0.1.0';
/** Uid and gid of images that need no rights. */
export const unprivilegedId = 1337;
export const entrypoint: readonly string[] = ['/usr/local/bin/node', '/app/main.mjs'];
