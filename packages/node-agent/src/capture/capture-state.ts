/** The states of one pod's capture, what is wanted of it, and what its parts must be able to do. Types only. */
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { AddOutcome, HandoverServer } from '../handover/handover-server.ts';
import type { NamespaceFinder } from '../locate/namespace-finder.ts';
import type { HostProbes } from '../probe/host-probes.ts';
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
  /** The namespace is known, and nothing of the rules in it. */
  | { readonly kind: 'placed'; readonly netns: NetworkNamespace }
  /** The rules stand, the proxy has not taken over: traffic is refused. */
  | { readonly kind: 'ruled'; readonly netns: NetworkNamespace; readonly redirection: Redirection }
  | {
      readonly kind: 'captured';
      readonly netns: NetworkNamespace;
      readonly redirection: Redirection;
      readonly ips: readonly string[];
    };

/** The annotation of a pod: `undefined` takes it away. */
export type Mark = 'enabled' | 'pending' | undefined;

export type CaptureDeps = {
  readonly finder: Pick<NamespaceFinder, 'find'>;
  readonly redirector: Pick<Redirector, 'install' | 'remove' | 'missing'>;
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

export type CaptureEvent = 'captured' | 'released' | 'repaired' | 'failed';
