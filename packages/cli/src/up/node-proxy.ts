/** The ztunnel of one simulated node: the real program, in the node's namespace, with its environment as in a cluster. */
import type { Lab, LabNode } from '@clearmesh/lab/lab';
import { parseExposition } from '../traffic/exposition.ts';
import type { Sample } from '../traffic/exposition.ts';
import type { LogLines } from './log-lines.ts';
import { Program } from './program.ts';
import type { ProgramDeps } from './program.ts';

const adminPort = 15000;
const statsPort = 15020;

/** The part of the dump read here (l4-contract section 11.3). */
type Dump = { readonly workloads?: readonly DumpedWorkload[]; readonly config?: { readonly onDemand?: boolean } };
type DumpedWorkload = { readonly namespace: string; readonly name: string; readonly protocol: string; readonly status: string };

/** What a proxy has heard of a pod. */
type KnownPod = { readonly tunnelled: boolean; readonly healthy: boolean };

export type KnownPods = {
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, KnownPod>;
  /** Others are asked for when they are needed (`XDS_ON_DEMAND`). */
  readonly onDemand: boolean;
};

export type NodeProxyOptions = {
  readonly command: readonly string[];
  readonly node: LabNode;
  readonly podName: string;
  readonly podNamespace: string;
  readonly serviceAccount: string;
  readonly controlPlaneUrl: string;
  readonly rootCertificate: string;
  readonly tokenFile: string;
  /** The node agent's socket. */
  readonly handoverSocket: string;
  /** Lifetime of the certificates it asks for, such as `90s`. @default that of the proxy */
  readonly certificateLifetime?: string;
};

export class NodeProxy implements AsyncDisposable {
  readonly program: Program;
  readonly #node: LabNode;
  readonly #lab: Pick<Lab, 'request'>;

  private constructor(node: LabNode, program: Program, lab: Pick<Lab, 'request'>) {
    this.#node = node;
    this.program = program;
    this.#lab = lab;
  }

  static async start(options: NodeProxyOptions, deps: ProgramDeps & { readonly lab: Pick<Lab, 'request'> }): Promise<NodeProxy> {
    const { node, command } = options;
    const env = proxyEnvironment(options);
    const program = await Program.start({ name: `ztunnel ${node.name}`, namespacePath: node.namespacePath, command, env }, deps);
    return new NodeProxy(node, program, deps.lab);
  }

  get log(): LogLines {
    return this.program.log;
  }

  /** The pods it has heard of. */
  async knownPods(signal: AbortSignal): Promise<KnownPods> {
    const request = { ip: '127.0.0.1', port: adminPort, path: '/config_dump', timeoutMs: 2000, signal };
    const { body } = await this.#lab.request(this.#node.namespacePath, request);
    const { workloads = [], config } = JSON.parse(body) as Dump;
    const pods = new Map(
      workloads.map(({ namespace, name, protocol, status }) => [
        `${namespace}/${name}`,
        { tunnelled: protocol === 'HBONE', healthy: status === 'Healthy' },
      ]),
    );
    return { pods, onDemand: config?.onDemand === true };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }

  /** Its counters now. */
  async metrics(signal: AbortSignal): Promise<readonly Sample[]> {
    const request = { ip: '127.0.0.1', port: statsPort, path: '/metrics', timeoutMs: 2000, signal };
    return parseExposition((await this.#lab.request(this.#node.namespacePath, request)).body);
  }
}

/** l4-contract section 12. */
export function proxyEnvironment(options: NodeProxyOptions): Readonly<Record<string, string>> {
  return {
    XDS_ADDRESS: options.controlPlaneUrl,
    CA_ADDRESS: options.controlPlaneUrl,
    XDS_ROOT_CA: options.rootCertificate,
    CA_ROOT_CA: options.rootCertificate,
    AUTH_TOKEN: options.tokenFile,
    INPOD_UDS: options.handoverSocket,
    NODE_NAME: options.node.name,
    POD_NAME: options.podName,
    POD_NAMESPACE: options.podNamespace,
    SERVICE_ACCOUNT: options.serviceAccount,
    INSTANCE_IP: options.node.ip,
    CLUSTER_ID: 'Kubernetes',
    CLUSTER_DOMAIN: 'cluster.local',
    TRUST_DOMAIN: 'cluster.local',
    LOG_FORMAT: 'json',
    RUST_LOG: 'info',
    ...(options.certificateLifetime === undefined ? {} : { SECRET_TTL: options.certificateLifetime }),
  };
}
