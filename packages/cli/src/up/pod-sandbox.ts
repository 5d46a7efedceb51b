/** What a node holds for one pod: the facts decided on ({@link ObservedPod}) and the resources behind them. */
import type { LabPod } from '@clearmesh/lab/lab';
import type { SupervisedProcess } from '@clearmesh/lab/process/supervised-process';
import type { CapturedPod } from './capture.ts';
import { fingerprint } from './desired-pod.ts';
import type { DesiredPod } from './desired-pod.ts';
import type { ObservedPod } from './pod-action.ts';
import type { LogLines } from './log-lines.ts';
import type { PodStatus } from './status-file.ts';
import type { TokenAccount } from './tokens.ts';

type ProcessState =
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly child: SupervisedProcess }
  | { readonly kind: 'exited' };

export type Sandbox = {
  readonly uid: string;
  /** What runs here; of the manifest's later changes it takes those that need no restart. */
  readonly spec: DesiredPod;
  readonly place: LabPod;
  /** Its TMPDIR, which outlives its processes and goes with it. */
  readonly scratch: string;
  /** The last lines its processes printed. */
  readonly log: LogLines;
  readonly process: ProcessState;
  readonly redirection: PodStatus['redirection'];
  readonly ready: boolean;
  readonly retired: boolean;
};

export function observe(sandbox: Sandbox): ObservedPod {
  const { redirection, ready, retired } = sandbox;
  return { fingerprint: fingerprint(sandbox.spec), process: sandbox.process.kind, redirection, ready, retired };
}

export function statusOf({ uid, spec, place, ready, redirection }: Sandbox): PodStatus {
  return { key: spec.key, uid, podIPs: [place.ip], nodeName: spec.nodeName, ready, redirection };
}

export function capturedPod({ uid, spec, place }: Sandbox): CapturedPod {
  const { namespace, name, serviceAccount, nodeName, redirection } = spec;
  const { namespacePath, ip } = place;
  return { uid, namespace, name, serviceAccount, node: nodeName, namespacePath, ip, redirection };
}

/** Whom a token of the pod speaks for. */
export function tokenAccount({ uid, spec }: Sandbox): TokenAccount {
  const { namespace, name, serviceAccount, nodeName } = spec;
  return { namespace, serviceAccount, pod: { name, uid }, node: nodeName };
}
