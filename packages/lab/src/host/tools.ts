/** System tools that labs need, and the Debian packages that bring them. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** What the caller wants to do on this machine. */
export type HostNeed = 'lab' | 'wiretap' | 'redis' | 'bench' | 'cluster' | 'images';

export type MissingTool = { readonly tool: string; readonly debianPackage: string; readonly neededFor: string };

type Tool = MissingTool & { readonly need: HostNeed };

const tools: readonly Tool[] = [
  { tool: 'ip', debianPackage: 'iproute2', need: 'lab', neededFor: 'network namespaces and links' },
  { tool: 'nft', debianPackage: 'nftables', need: 'lab', neededFor: 'capture rules and cluster IPs' },
  { tool: 'nsenter', debianPackage: 'util-linux', need: 'lab', neededFor: 'processes inside a namespace' },
  { tool: 'setpriv', debianPackage: 'util-linux', need: 'lab', neededFor: 'processes that end with their parent' },
  { tool: 'unshare', debianPackage: 'util-linux', need: 'lab', neededFor: 'running without root' },
  { tool: 'mount', debianPackage: 'mount', need: 'lab', neededFor: 'running without root' },
  { tool: 'sh', debianPackage: 'dash', need: 'lab', neededFor: 'starting processes' },
  { tool: 'tcpdump', debianPackage: 'tcpdump', need: 'wiretap', neededFor: 'watching the link between nodes' },
  { tool: 'redis-server', debianPackage: 'redis-server', need: 'redis', neededFor: 'the example bank’s store' },
  { tool: 'iperf3', debianPackage: 'iperf3', need: 'bench', neededFor: 'throughput measurements' },
  { tool: 'wrk', debianPackage: 'wrk', need: 'bench', neededFor: 'request measurements' },
  { tool: 'etcd', debianPackage: 'etcd-server', need: 'cluster', neededFor: 'the store of the API server' },
  { tool: 'containerd', debianPackage: 'containerd', need: 'cluster', neededFor: 'containers' },
  { tool: 'ctr', debianPackage: 'containerd', need: 'cluster', neededFor: 'loading images' },
  { tool: 'runc', debianPackage: 'runc', need: 'cluster', neededFor: 'containers' },
  { tool: 'portmap', debianPackage: 'containernetworking-plugins', need: 'cluster', neededFor: 'networks of pods' },
  { tool: 'busybox', debianPackage: 'busybox-static', need: 'cluster', neededFor: 'the images of the cluster itself' },
  { tool: 'pivot_root', debianPackage: 'util-linux', need: 'cluster', neededFor: 'file systems of nodes' },
  { tool: 'iptables-legacy-save', debianPackage: 'iptables', need: 'images', neededFor: 'the image of the node agent' },
  { tool: 'ipset', debianPackage: 'ipset', need: 'images', neededFor: 'the image of the node agent' },
];

// Debian keeps ip, nft and tcpdump where the PATH of ordinary users does not look.
const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** The PATH to run tools with: the caller's, then the system's own directories. */
export function toolPath(env: NodeJS.ProcessEnv): string {
  const own = (env['PATH'] ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return [...new Set([...own, ...systemDirectories])].join(':');
}

/** Where a tool is, or `undefined`. */
export async function findTool(tool: string, path: string): Promise<string | undefined> {
  for (const directory of path.split(':')) {
    const file = join(directory, tool);
    const isExecutable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isExecutable) return file;
  }
  return undefined;
}

export type HostCheck = {
  /** @default lab, wiretap and redis */
  readonly needs?: readonly HostNeed[];
  /** Directories to look in, as PATH has them. @default this process's PATH and the system's directories */
  readonly path?: string;
};

/** Names each tool that this machine lacks, with its Debian package. */
export async function checkHost(options: HostCheck = {}): Promise<readonly MissingTool[]> {
  const needs = options.needs ?? ['lab', 'wiretap', 'redis'];
  const path = options.path ?? toolPath(process.env);
  const wanted = tools.filter(({ need }) => needs.includes(need));
  const found = await Promise.all(wanted.map(({ tool }) => findTool(tool, path)));
  return wanted
    .filter((_tool, index) => found[index] === undefined)
    .map(({ tool, debianPackage, neededFor }) => ({ tool, debianPackage, neededFor }));
}

/** One error that names them all and the command that installs them. */
export function missingToolsError(missing: readonly MissingTool[]): MeshError {
  const list = missing.map(({ tool, neededFor }) => `${tool} (${neededFor})`).join(', ');
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))].join(' ');
  return new MeshError('MESH-HOST-001', {
    message: `not installed: ${list}`,
    hint: `Debian and Ubuntu: sudo apt-get install ${packages}`,
  });
}
