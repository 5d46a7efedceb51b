/**
 * The kubelet's and node agent's decision for one pod: (desired, observed) → the next action. Pure; the same function is
 * asked again after every action and every change, so that a half-done change is simply decided anew.
 *
 *   (nothing) ── sandbox ──▶ sandbox ── enrol? ──▶ captured ── launch ──▶ running ── observe ──▶ ready
 *   running ── retire ──▶ unready ── terminate ──▶ stopped ── release? ──▶ uncaptured ── remove ──▶ (nothing)
 *
 * P1  a pod of the mesh is captured before its process starts: no connection of it is ever outside.
 * P2  a pod is unready before its process is asked to end, and stays captured until the process is gone.
 */
import { fingerprint } from './desired-pod.ts';
import type { DesiredPod } from './desired-pod.ts';

export type ObservedPod = {
  readonly fingerprint: string;
  readonly process: 'none' | 'running' | 'exited';
  readonly redirection: 'none' | 'pending' | 'enabled';
  readonly ready: boolean;
  /** True once it was taken out of service. */
  readonly retired: boolean;
};

export type PodAction =
  /** Nothing to do until something changes. */
  | 'rest'
  /** Make the namespace and address. */
  | 'sandbox'
  /** Capture its traffic and hand it to the proxy. */
  | 'enrol'
  /** Give its traffic back. */
  | 'release'
  /** Start its process. */
  | 'launch'
  /** Start it again after its back-off. */
  | 'relaunch'
  /** Wait until its port accepts connections. */
  | 'observe'
  /** Take it out of service and let the proxies hear of it. */
  | 'retire'
  /** End its process. */
  | 'terminate'
  /** Delete its namespace. */
  | 'remove';

export function nextAction(desired: DesiredPod | undefined, observed: ObservedPod | undefined): PodAction {
  if (observed === undefined) return desired === undefined || desired.terminating ? 'rest' : 'sandbox';
  if (desired === undefined || desired.terminating || fingerprint(desired) !== observed.fingerprint) return wayOut(observed);
  if (desired.enrolled && observed.redirection !== 'enabled') return 'enrol';
  if (!desired.enrolled && observed.redirection !== 'none') return 'release';
  if (observed.process === 'none') return 'launch';
  if (observed.process === 'exited') return 'relaunch';
  return observed.ready ? 'rest' : 'observe';
}

function wayOut(observed: ObservedPod): PodAction {
  if (observed.process === 'running') return observed.retired ? 'terminate' : 'retire';
  return observed.redirection === 'none' ? 'remove' : 'release';
}
