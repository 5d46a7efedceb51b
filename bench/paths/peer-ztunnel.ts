/**
 * Any ztunnel-compatible binary in in-pod mode (PEER_ZTUNNEL), one process a node on two nodes of its own: told of its
 * workloads by a local file and of its pods by our node agent, with certificates of its own making.
 */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { Lab } from '@clearmesh/lab/lab';
import type { LabNode, LabPod } from '@clearmesh/lab/lab';
import type { SupervisedProcess } from '@clearmesh/lab/process/supervised-process';
import { HandoverServer } from '@clearmesh/node-agent/handover/handover-server';
import { runInNamespace } from '@clearmesh/node-agent/redirect/namespace-command';
import { Redirector } from '@clearmesh/node-agent/redirect/redirector';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { bulkPort, httpPort } from './path.ts';
import type { BenchPath } from './path.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const startDeadlineMs = 20_000;

export type RunningPeer = AsyncDisposable & { readonly path: BenchPath };

export async function startPeer(
  binary: string,
  /** What runs in the server pod, in a copy of the folder `files`. */
  service: { readonly command: readonly string[]; readonly files: string },
): Promise<RunningPeer> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await Lab.create({ nodes: ['node-a', 'node-b'] }, deps));
  const client = await lab.addPod({ node: 'node-a', namespace: 'peer', name: 'client' });
  const server = await lab.addPod({ node: 'node-b', namespace: 'peer', name: 'server' });
  const configuration = join(lab.workDir, 'workloads.yaml');
  await writeFile(configuration, JSON.stringify({ workloads: [client, server].map(localWorkload), services: [], policies: [] }));
  const proxies = await Promise.all([client, server].map((pod) => startNode({ lab, binary, configuration, pod, stack })));
  const cwd = join(lab.workDir, 'server');
  await cp(service.files, cwd, { recursive: true });
  await lab.spawn({ name: 'server', namespacePath: server.namespacePath, command: service.command, cwd });
  const path: BenchPath = {
    name: 'peer',
    clientNamespacePath: client.namespacePath,
    host: server.ip,
    httpPort,
    bulkPort,
    pids: proxies.map((proxy) => proxy.pid),
  };
  const owned = stack.move();
  return { path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startNode(spec: {
  readonly lab: Lab;
  readonly binary: string;
  readonly configuration: string;
  readonly pod: LabPod;
  readonly stack: AsyncDisposableStack;
}): Promise<SupervisedProcess> {
  const { lab, pod, stack } = spec;
  const folder = join(lab.workDir, pod.node);
  await mkdir(folder, { recursive: true });
  const socket = join(folder, 'ztunnel.sock');
  const handover = stack.use(HandoverServer.listen({ path: socket }, deps));
  const namespace = stack.use(NetworkNamespace.open(pod.namespacePath));
  const signal = AbortSignal.timeout(startDeadlineMs);
  await new Redirector({ run: runInNamespace }).install(namespace, {}, signal);
  const proxy = await lab.spawn({
    name: `peer ${pod.node}`,
    namespacePath: lab.node(pod.node).namespacePath,
    command: [spec.binary],
    cwd: folder,
    env: peerEnvironment(lab.node(pod.node), spec.configuration, socket),
  });
  await handover.proxyReady(signal).catch((cause: unknown) => {
    throw new Error(`the peer proxy did not dial the node agent: ${proxy.tail().join('\n')}`, { cause });
  });
  const outcome = await handover.addPod({
    uid: `uid-${pod.name}`,
    name: pod.name,
    namespace: pod.namespace,
    serviceAccount: pod.name,
    netns: namespace,
  });
  if (outcome.kind !== 'acked')
    throw new Error(`the peer proxy did not take pod ${pod.name}: ${JSON.stringify(outcome)}; ${proxy.tail().join('\n')}`);
  return proxy;
}

/** l4-contract section 12: a local source of workloads, made-up certificates, everything remote switched off. */
function peerEnvironment(node: LabNode, configuration: string, socket: string): Readonly<Record<string, string>> {
  return {
    LOCAL_XDS_PATH: configuration,
    FAKE_CA: 'true',
    INPOD_UDS: socket,
    XDS_ADDRESS: '',
    CA_ADDRESS: '',
    NODE_NAME: node.name,
    CLUSTER_ID: 'Kubernetes',
    ISTIO_META_DNS_CAPTURE: 'false',
    // As ours: every connection's end is a line.
    RUST_LOG: 'info',
  };
}

function localWorkload(pod: LabPod): unknown {
  return {
    uid: `Kubernetes//Pod/${pod.namespace}/${pod.name}`,
    name: pod.name,
    namespace: pod.namespace,
    serviceAccount: pod.name,
    workloadIps: [pod.ip],
    protocol: 'HBONE',
    node: pod.node,
    network: '',
    services: {},
  };
}
