/** What the steps act on and look at: the bank's pods, its manifests on disk, the wire between the nodes, the proxies' logs and traces. */
import type { WireReport as TapReport } from '@clearmesh/lab/wiretap/summary';
import type { Wiretap } from '@clearmesh/lab/wiretap/wiretap';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { StatusReport } from '@clearmesh/control-plane/report/status-report';
import type { ReceivedSpan } from '../trace-receiver/span.ts';
import type { LogLines } from '../up/log-lines.ts';
import type { Sandbox } from '../up/pod-sandbox.ts';
import type { FieldEdit, ObjectName } from './manifest-edit.ts';

export type Question = {
  /** Sent as JSON. @default none */
  readonly body?: object;
  /** Have the trace recorded: spans of everybody on the way. @default false */
  readonly record?: boolean;
};

export type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

export interface World {
  readonly clock: Clock;
  /** The pod as its node holds it now; throws when it has none. */
  pod(key: string): Sandbox;
  /** Calls a pod's own HTTP port from inside it, as its user would; what it does next crosses the mesh. */
  ask(key: string, method: 'GET' | 'POST', path: string, signal: AbortSignal, question?: Question): Promise<Answer>;
  /** Changes one object on disk; gives the file's name. */
  edit(object: ObjectName, edits: readonly FieldEdit[]): Promise<string>;
  /** Writes a file below the directory of the manifests; `undefined` removes it. */
  write(file: string, text: string | undefined): Promise<void>;
  /** A file below the directory of the manifests. */
  read(file: string): Promise<string>;
  /** Resolves when `condition` holds for the pods. */
  until(condition: (sandboxes: readonly Sandbox[]) => boolean, signal: AbortSignal): Promise<void>;
  /** Listens on the link between the two nodes, from now on. */
  tap(): Promise<Wiretap>;
  /** Listens from now to the end of the walk; its findings are the report's. */
  listen(): Promise<void>;
  /** What that tap has heard so far; rejects before {@link listen}. */
  heard(): Promise<TapReport>;
  /** Resolves when every proxy knows every pod of the bank as reachable through the mesh. */
  known(signal: AbortSignal): Promise<void>;
  /** The log of the proxy on a node. */
  proxyLog(node: string): LogLines;
  /** What a pod printed: of a waypoint, its log and its access log. */
  podLog(key: string): LogLines;
  /** What a waypoint's administration tells under a path. */
  admin(waypoint: string, path: string, signal: AbortSignal): Promise<unknown>;
  /** What the control plane says of the objects now. */
  status(): Promise<StatusReport>;
  /** The spans of a trace that arrived so far. */
  trace(traceId: string, signal: AbortSignal): Promise<readonly ReceivedSpan[]>;
}

/** The pods that the labels enrol. */
export const bankPods = [
  'payments/payments-0',
  'ledger/ledger-0',
  'ledger/ledger-1',
  'customer-analytics/analytics-0',
  'customer-analytics/store-0',
] as const;

export const ledgers = ['ledger/ledger-0', 'ledger/ledger-1'] as const;

export const waypointPod = 'ledger/ledger-waypoint-0';

export const bankNamespaces = ['payments', 'ledger', 'customer-analytics'] as const;

/** What must never be readable on the wire: the standing order's account and amount. */
export const secrets = ['DE89370400440532013000', '1250.00'] as const;

export function secretBytes(): readonly Uint8Array[] {
  return secrets.map((secret) => new TextEncoder().encode(secret));
}

/** The addresses of the bank's own pods. */
export function bankAddresses(world: Pick<World, 'pod'>): ReadonlySet<string> {
  return new Set(bankPods.map((key) => world.pod(key).place.ip));
}
