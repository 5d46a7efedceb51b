/** What a mesh is made of, and how it is started: every part onto one stack, after those it needs (U1, U2 of mesh.ts). */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { OtherZtunnels } from '../arguments/ztunnel-option.ts';
import { Lab } from '@clearmesh/lab/lab';
import { HandoverServer } from '@clearmesh/node-agent/handover/handover-server';
import { runInNamespace } from '@clearmesh/node-agent/redirect/namespace-command';
import { Redirector } from '@clearmesh/node-agent/redirect/redirector';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Problem } from '@clearmesh/shared/document/problem';
import { ControlPlaneProcess } from './control-plane-process.ts';
import { Kubelet } from './kubelet.ts';
import { ManifestFeed } from './manifest-feed.ts';
import { NodeCapture } from './node-capture.ts';
import { NodeProxy } from './node-proxy.ts';
import type { NodeProxyOptions } from './node-proxy.ts';
import { requireZtunnels } from './other-ztunnels.ts';
import { nodeNames } from './placement.ts';
import { probePort } from './probe.ts';
import type { OnOutput } from './output.ts';
import type { Program } from './program.ts';
import { packageMain } from './programs.ts';
import { announce, ownStatusOut, statusDirectory } from './run-directory.ts';
import { StatusFile } from './status-file.ts';
import { TokenFiles } from './token-files.ts';
import { TokenKey } from './tokens.ts';
import type { TokenAccount } from './tokens.ts';
import { TraceReceiverProcess } from './trace-receiver-process.ts';
import type { WaypointPlaces } from './waypoint-container.ts';

export type MeshOptions = {
  readonly directory: string;
  /** How many nodes to simulate at least, or their names; those that manifests name are always made. @default 2 */
  readonly nodes?: number | readonly string[];
  /** Work on a copy of the directory, which goes with the mesh. @default false */
  readonly onCopy?: boolean;
  /** Run a receiver of traces, and have every pod export to it. @default false */
  readonly traces?: boolean;
  /** Where the control plane writes the status of objects. @default a file of the lab */
  readonly statusOut?: string;
  /** Lifetime of the certificates that proxies ask for, such as `90s`. @default that of the proxies */
  readonly certificateLifetime?: string;
  /** Programs that stand in for our node proxy. @default none */
  readonly otherZtunnels?: OtherZtunnels;
  /** The Node that runs the programs of the mesh. */
  readonly execPath: string;
};

export type MeshDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: NodeJS.ProcessEnv;
  /** Progress. */
  readonly say: (line: string) => void;
  /** What goes wrong while the rest goes on. */
  readonly warn: (line: string) => void;
  /** Lines of the programs and pods. @default nobody listens */
  readonly onOutput?: OnOutput;
  /** Told of every reading of the manifests that was refused after the start. */
  readonly onProblems: (problems: readonly Problem[]) => void;
};

/** What a started mesh consists of. */
export type MeshParts = {
  readonly directory: string;
  readonly stateDir: string;
  readonly statusOut: string;
  readonly lab: Lab;
  readonly controlPlane: ControlPlaneProcess;
  readonly proxies: ReadonlyMap<string, NodeProxy>;
  readonly kubelet: Kubelet;
  readonly traces: TraceReceiverProcess | undefined;
  readonly failure: AbortSignal;
};

const systemNamespace = 'clearmesh-system';
/** Of every node proxy. */
const nodeAccount = 'ztunnel';

/** Starts everything onto `starting`, in the order of its dependencies. */
export async function startParts(
  options: MeshOptions,
  deps: MeshDeps,
  starting: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<MeshParts> {
  const asked = resolve(options.directory);
  const named = await ManifestFeed.check(asked, signal);
  const { nodes: wanted = 2 } = options;
  const nodes = typeof wanted === 'number' ? nodeNames(named, wanted) : nodeNames([...named, ...wanted], 1);
  await requireZtunnels(options.otherZtunnels ?? {}, nodes);
  const lab = starting.use(await Lab.create({ nodes, onProgress: deps.say, signal }, deps));
  const files = await prepareFiles(options, lab);
  const programDeps: ProgramsDeps = { ...deps, onOutput: deps.onOutput ?? (() => {}), lab };
  const programs = await startPrograms(options, files, nodes, programDeps, starting, signal);

  const { tokens, handovers, traces, controlPlane } = programs;
  const { directory, statusFile } = files;
  const capture = new NodeCapture({ redirector: new Redirector({ run: runInNamespace }), handovers });
  const injected = traces === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: traces.url };
  const pods = { root: directory, scratchDir: join(lab.workDir, 'pods'), injected };
  const kubelet = starting.use(new Kubelet(pods, { ...programDeps, statusFile, capture, tokens, probe: probePort }));
  const waypoints = waypointPlaces(lab, controlPlane, options);
  starting.use(await ManifestFeed.open({ directory, nodes, kubelet, waypoints }, deps, signal));
  const failure = AbortSignal.any(programsOf(programs).map((program) => program.failure));
  return { ...files, ...programs, lab, kubelet, failure };
}

type Files = Pick<MeshParts, 'directory' | 'stateDir' | 'statusOut'> & {
  readonly statusFile: StatusFile;
  readonly key: TokenKey;
  /** JWKS of the key's public half. */
  readonly tokenKeys: string;
};

/** The directories and files that programs find at their start. */
async function prepareFiles(options: MeshOptions, { workDir }: Lab): Promise<Files> {
  const asked = resolve(options.directory);
  const directory = options.onCopy === true ? join(workDir, 'manifests') : asked;
  if (options.onCopy === true) await cp(asked, directory, { recursive: true });
  await mkdir(statusDirectory(workDir), { mode: 0o700 });
  const statusFile = new StatusFile({ path: join(statusDirectory(workDir), 'pods.yaml') });
  await statusFile.write([]);
  const statusOut = options.statusOut === undefined ? ownStatusOut(workDir) : resolve(options.statusOut);
  await announce(workDir, { directory: asked, manifests: directory, statusFile: statusOut });
  const key = await TokenKey.create();
  const tokenKeys = join(workDir, 'token-keys.json');
  await writeFile(tokenKeys, key.jwks());
  const stateDir = join(workDir, 'control-plane');
  await mkdir(stateDir, { mode: 0o700 });
  return { directory, statusFile, statusOut, key, tokenKeys, stateDir };
}

type ProgramsDeps = MeshDeps & { readonly onOutput: OnOutput; readonly lab: Lab };

type Programs = Pick<MeshParts, 'controlPlane' | 'proxies' | 'traces'> & {
  readonly tokens: TokenFiles;
  /** Of the node agents, by node name. */
  readonly handovers: ReadonlyMap<string, HandoverServer>;
};

async function startPrograms(
  options: MeshOptions,
  { key, directory, statusFile, statusOut, stateDir, tokenKeys }: Files,
  nodes: readonly string[],
  deps: ProgramsDeps,
  starting: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Programs> {
  const { lab, say } = deps;
  const { execPath, traces: wantsTraces } = options;
  say('starting the control plane');
  const command = packageMain('control-plane', execPath);
  const flags = { command, directory, statusFile: statusFile.path, statusOut, stateDir, tokenKeys };
  const controlPlane = starting.use(await ControlPlaneProcess.start(flags, deps, signal));
  const receiver = { command: packageMain('trace-receiver', execPath) };
  const traces = wantsTraces === true ? starting.use(await TraceReceiverProcess.start(receiver, deps, signal)) : undefined;

  const tokens = starting.use(new TokenFiles({ ...deps, key }));
  for (const node of nodes) await tokens.add(tokenFile(lab, node), accountOf(node, deps.random));
  say(`starting ${nodes.length === 1 ? 'the proxy' : 'the proxies'} of ${nodes.join(', ')}`);
  const handovers = new Map(
    nodes.map((node) => [node, starting.use(HandoverServer.listen({ path: socketOf(lab, node) }, deps))]),
  );
  const proxies = new Map<string, NodeProxy>();
  for (const node of nodes) {
    const proxy = proxyOptions(lab, node, controlPlane, options);
    proxies.set(node, starting.use(await NodeProxy.start(proxy, deps)));
  }
  return { controlPlane, proxies, traces, tokens, handovers };
}

/** The programs of the mesh. */
export function programsOf({
  controlPlane,
  proxies,
  traces,
}: Pick<MeshParts, 'controlPlane' | 'proxies' | 'traces'>): readonly Program[] {
  return [controlPlane, ...proxies.values(), ...(traces === undefined ? [] : [traces])].map(({ program }) => program);
}

function waypointPlaces(lab: Lab, { url, rootCertificate }: ControlPlaneProcess, options: MeshOptions): WaypointPlaces {
  const command = packageMain('waypoint', options.execPath);
  return { command, controlPlaneUrl: url, rootCertificate, tokenDir: lab.workDir, ...lifetimeOf(options) };
}

function lifetimeOf({ certificateLifetime }: MeshOptions): Pick<MeshOptions, 'certificateLifetime'> {
  return certificateLifetime === undefined ? {} : { certificateLifetime };
}

function proxyOptions(lab: Lab, node: string, controlPlane: ControlPlaneProcess, options: MeshOptions): NodeProxyOptions {
  const { execPath, otherZtunnels = {} } = options;
  const other = otherZtunnels[node] ?? otherZtunnels[''];
  return {
    ...lifetimeOf(options),
    command: other === undefined ? packageMain('ztunnel', execPath) : [other],
    node: lab.node(node),
    podName: `ztunnel-${node}`,
    podNamespace: systemNamespace,
    serviceAccount: nodeAccount,
    controlPlaneUrl: controlPlane.url,
    rootCertificate: controlPlane.rootCertificate,
    tokenFile: tokenFile(lab, node),
    handoverSocket: socketOf(lab, node),
  };
}

function tokenFile(lab: Lab, node: string): string {
  return join(lab.workDir, `token-${node}`);
}

function socketOf(lab: Lab, node: string): string {
  return join(lab.workDir, `zds-${node}.sock`);
}

function accountOf(node: string, random: Random): TokenAccount {
  return { namespace: systemNamespace, serviceAccount: nodeAccount, pod: { name: `ztunnel-${node}`, uid: random.hex(16) }, node };
}
