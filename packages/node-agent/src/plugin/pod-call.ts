/** What the plugin asks the agent, and what it hears: JSON over HTTP on a unix socket. The agent imports these types too. */

/** A call about one pod's sandbox, as the container runtime describes it. */
export type PodCall = {
  readonly containerId: string;
  /** Path of the sandbox's network namespace in the runtime's file system; '' where a DEL has none. */
  readonly netns: string;
  readonly podNamespace: string;
  readonly podName: string;
  /** '' where the runtime does not tell it. */
  readonly podUid: string;
  /** Addresses the plugins before this one gave the pod. */
  readonly ips: readonly string[];
  /** The plugin's own process, through whose root the agent can find {@link netns} if its own file system lacks it. */
  readonly pid: number;
};

/** What the agent says when it refuses, with a status other than 200. */
export type Refusal = {
  /** A code of the CNI specification or of the plugin. */
  readonly code: number;
  readonly message: string;
  readonly details: string;
};

/** The agent's answer to an ADD or CHECK it granted. */
export type Grant = { readonly inMesh: boolean; readonly reason: string };

/** Paths of the calls. */
export const callPaths = { add: '/cmdadd', check: '/cmdcheck', del: '/cmddel', status: '/cmdstatus' } as const;
