import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { SpawnOptions, SupervisedProcess } from './process/supervised-process.ts';
import type { NamespacedRequest, NamespacedResponse } from './request/namespaced-request.ts';
import type { LabPod, PodSpec } from './topology/network.ts';
import type { LabService } from './topology/service-rules.ts';
import type { Wiretap } from './wiretap/wiretap.ts';

export type LabOptions = {
  /** 1–12 lower-case letters and digits. @default eight random hexadecimal digits */
  readonly id?: string;
  /** Names of 1–8 nodes (DNS labels; `control` is taken). */
  readonly nodes: readonly string[];
  /** Kept at the end when given. @default /run/clearmesh/work/<id>, deleted at the end */
  readonly workDir?: string;
  /** Told what is being done, for people. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
};

export type LabDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
};

export type LabNode = { readonly name: string; readonly namespacePath: string; readonly ip: string; readonly podCidr: string };

/** Where the control plane's process runs. */
export type LabControl = { readonly namespacePath: string; readonly ip: string };

/** A running lab, as its users see it; tests of theirs may offer a smaller one. */
export interface LabApi extends AsyncDisposable {
  readonly id: string;
  /** For files of the lab; the default directory of its processes. */
  readonly workDir: string;
  readonly nodes: readonly LabNode[];
  readonly control: LabControl;
  readonly pods: readonly LabPod[];
  /** A node by name, or MESH-CONFIG-003. */
  node(name: string): LabNode;
  /** A pod with its address and routes, reachable from every node when this resolves. */
  addPod(spec: PodSpec): Promise<LabPod>;
  /** Ends the pod's processes (after 5 s by force) and takes it away; a pod that does not exist is no error. */
  removePod(pod: { readonly namespace: string; readonly name: string }): Promise<void>;
  /** Replaces the cluster IPs that uncaptured pods reach, on every node. */
  setServices(services: readonly LabService[]): Promise<void>;
  /** Starts a process, by default in the work directory; it ends with the lab, and with us however we end. */
  spawn(options: SpawnOptions): Promise<SupervisedProcess>;
  /** One HTTP request from inside a namespace. */
  request(namespacePath: string, request: NamespacedRequest): Promise<NamespacedResponse>;
  /** Listens on the link from one node to another, at the first one's end; dispose of it to stop. */
  wiretap(from: string, to: string): Promise<Wiretap>;
  /** Ends every process, then removes namespaces, the lab's own work directory and its record. */
  [Symbol.asyncDispose](): Promise<void>;
}
