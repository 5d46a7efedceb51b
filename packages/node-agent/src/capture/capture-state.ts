/** The states of one pod's capture, what is wanted of it, and what its parts must be able to do. Types only. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { AddOutcome, HandoverServer } from '../handover/handover-server.ts';
import type { NamespaceFinder } from '../locate/namespace-finder.ts';
import type { HostProbes } from '../probe/host-probes.ts';
import type { OlderConnections } from './older-connections.ts';
import type { PodConnections } from './pod-connections.ts';
import type { Redirection } from '../redirect/redirection.ts';
import type { Redirector } from '../redirect/redirector.ts';
import type { NodePod } from '../watch/pod-object.ts';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';

export type { AddOutcome };

/** What is wanted of a pod. */
export type Wish =
  | { readonly kind: 'captured'; readonly pod: NodePod; readonly redirection: Redirection }
  /** It runs on, outside the mesh. */
  | { readonly kind: 'released'; readonly pod: NodePod }
  /** It has finished, or its sandbox is no more; `deleted` when there is not even an object to write to. */
  | { readonly kind: 'gone'; readonly pod: NodePod; readonly deleted: boolean };

/** How far it has come; the namespace is the state's. */
export type CaptureState =
  | { readonly kind: 'absent' }
  /** The pod runs, and nothing has been done to it yet: it was labelled while it ran. */
  | { readonly kind: 'running'; readonly netns: NetworkNamespace }
  /** The proxy serves it, what it opens goes through the proxy, and it still takes plaintext, until others know of it. */
  | {
      readonly kind: 'joining';
      readonly netns: NetworkNamespace;
      readonly redirection: Redirection;
      readonly ips: readonly string[];
      readonly older: OlderConnections;
      /** By the monotonic clock. */
      readonly dueMs: number;
    }
  /** The namespace is known, and nothing of the rules in it; `older` of a pod that counted as captured until they were looked at. */
  | {
      readonly kind: 'placed';
      readonly netns: NetworkNamespace;
      readonly older?: OlderConnections | undefined;
      /** From the container runtime, before anything runs in it: that it has no rules is no news. */
      readonly isNew?: true;
    }
  /** The rules stand, the proxy has not taken over: traffic is refused, unless it is the proxy that has served the pod before. */
  | {
      readonly kind: 'ruled';
      readonly netns: NetworkNamespace;
      readonly redirection: Redirection;
      readonly older?: OlderConnections | undefined;
    }
  | {
      readonly kind: 'captured';
      readonly netns: NetworkNamespace;
      readonly redirection: Redirection;
      readonly ips: readonly string[];
      readonly older: OlderConnections;
    }
  /** On its way out, as it was while joining, until others know. */
  | { readonly kind: 'leaving'; readonly netns: NetworkNamespace; readonly redirection: Redirection; readonly dueMs: number }
  /** It is out, but for connections it has through the proxy. */
  | { readonly kind: 'parting'; readonly netns: NetworkNamespace; readonly dueMs: number };

/** The annotation of a pod: `undefined` takes it away. */
export type Mark = 'enabled' | 'pending' | undefined;

export type CaptureOptions = {
  /** How long others have to learn that a running pod joins or leaves, milliseconds. @default 1000 */
  readonly settleMs?: number;
  /** How long a pod that has left may keep connections through the proxy, milliseconds; more than ztunnel lets it. @default 660 000 */
  readonly partMs?: number;
};

export type CaptureDeps = {
  readonly finder: Pick<NamespaceFinder, 'find'>;
  readonly redirector: Pick<Redirector, 'install' | 'remove' | 'inspect' | 'hasBegun'>;
  /** Open connections of a pod. */
  readonly connectionsOf: (netns: NetworkNamespace) => PodConnections;
  readonly handover: Pick<HandoverServer, 'addPod' | 'removePod'>;
  readonly probes: Pick<HostProbes, 'add' | 'remove'>;
  /** Brings the annotation about, in its own time. */
  readonly annotate: (pod: NodePod, mark: Mark) => void;
  /** Told of every step that changed something, and of every failure. */
  readonly onEvent: (event: CaptureEvent) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

export type CaptureEvent = 'captured' | 'released' | 'repaired' | 'updated' | 'failed';
