/** What the parts of the control plane are put together from. */
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';
import type { CallerAuthenticator } from '../certify/caller.ts';
import type { CurrentRoot } from '../certify/current-root.ts';
import type { Configured } from '../report/report.ts';
import type { StatusReport } from '../report/status-report.ts';
import type { ConfigurationSource } from '../watch/configuration-source.ts';
import type { ControlPlaneOptions } from './options.ts';

export type ControlPlaneDeps = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

export type Wiring<S = ControlPlaneOptions['setting']> = {
  readonly options: ControlPlaneOptions & { readonly setting: S };
  readonly deps: ControlPlaneDeps;
  readonly metrics: ControlPlaneMetrics;
  /** Everything that is opened, in the order of opening. */
  readonly resources: AsyncDisposableStack;
  readonly draining: AbortController;
  /** Ends the start. */
  readonly signal: AbortSignal;
};

/** What differs between a directory and a cluster. */
export type Surroundings = {
  /** For log lines. */
  readonly name: string;
  readonly source: ConfigurationSource;
  readonly authenticator: CallerAuthenticator;
  readonly root: CurrentRoot;
  /** Takes each status of all objects; without one, none is made. */
  readonly write?: (report: StatusReport) => void;
  /** Tells, from now on, why nothing can be made for Gateways, by `namespace/name`. */
  readonly onInvalidParameters?: (recv: (invalid: ReadonlyMap<string, string>) => void) => void;
  readonly onConfiguration?: (configured: Configured) => void;
  /** Of the surroundings themselves, for people who look. */
  readonly describe?: () => unknown;
};
