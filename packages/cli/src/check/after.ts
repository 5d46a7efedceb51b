/** `clearmesh check`: does the mesh that is installed work? Verdicts on facts; pure. */
import { decideBundle } from '@clearmesh/control-plane/distribute/bundle-decision';
import type { Bundle } from '@clearmesh/control-plane/distribute/bundle';
import { isWaypoint } from '@clearmesh/control-plane/manifest/gateway';
import { isFinished } from '@clearmesh/control-plane/manifest/pod';
import { captureOf, enrolmentOf } from '../mesh/capture.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import { failed, few, noneOf, ok, unknown, warning } from './result.ts';
import { unreadPolicies } from './unread-policies.ts';
import type { Result } from './result.ts';

/** A Deployment or DaemonSet; `undefined` in its place: not there. */
export type Component = { readonly desired: number; readonly ready: number };

export type FactsAfter = {
  readonly view: MeshView;
  /** `forbidden`: you may not look. */
  readonly controlPlane: Component | undefined | 'forbidden';
  readonly nodeAgent: Component | undefined | 'forbidden';
  readonly ztunnel: Component | undefined | 'forbidden';
  readonly groupVersions: ReadonlySet<string>;
  /** The root certificate as each namespace has it. */
  readonly bundles: readonly Bundle[] | 'forbidden';
};

const chart = 'Install the chart clearmesh (helm), and run clearmesh check --pre before.';

export function checkAfter(facts: FactsAfter): readonly Result[] {
  const { view } = facts;
  const logs = (object: string): string => `kubectl -n ${view.options.rootNamespace} logs ${object}`;
  return [
    component('control plane', facts.controlPlane, logs('deploy/clearmesh-control-plane')),
    component('node agents', facts.nodeAgent, logs('ds/clearmesh-node-agent')),
    component('ztunnels', facts.ztunnel, logs('ds/ztunnel')),
    everyNode(view, 'clearmesh-node-agent', 'node agent'),
    everyNode(view, 'ztunnel', 'ztunnel'),
    definitions(facts.groupVersions),
    rootCertificate(facts),
    notCaptured(view),
    waypoints(view),
    bindings(view),
    brokenObjects(view),
    unreadPolicies(view.problems),
  ];
}

function component(name: string, found: FactsAfter['ztunnel'], look: string): Result {
  if (found === 'forbidden') return unknown(name, 'may not be read by you');
  if (found === undefined) return failed(name, 'not installed', chart);
  const text = `${found.ready} of ${found.desired} ready`;
  if (found.desired > 0 && found.ready >= found.desired) return ok(name, text);
  return failed(name, found.desired === 0 ? 'none is wanted' : text, `Look why: ${look}`);
}

/** A DaemonSet that tolerates too little leaves nodes out, and is ready all the same. */
function everyNode({ collections, options, remarks }: MeshView, app: string, what: string): Result {
  const name = `a ${what} on every node`;
  const { nodes, pods } = collections;
  if (nodes.size === 0 && remarks.some((remark) => remark.startsWith('nodes ')))
    return unknown(name, 'nodes may not be read by you');
  const there = new Set(
    pods
      .filter(
        ({ metadata, status }) =>
          metadata.namespace === options.rootNamespace && metadata.labels?.['app'] === app && isReady(status),
      )
      .map(({ spec }) => spec?.nodeName ?? ''),
  );
  const missing = [...nodes.keys()].filter((node) => !there.has(node));
  return noneOf(
    name,
    `${nodes.size} nodes`,
    missing,
    'none is ready on',
    'Pods of these nodes cannot be in the mesh: see taints, and the tolerations of the chart.',
  );
}

function isReady(
  status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] } | undefined,
): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;
}

const groups = ['gateway.networking.k8s.io/v1', 'security.istio.io/v1', 'clearmesh.io/v1alpha1'];

function definitions(served: ReadonlySet<string>): Result {
  const missing = groups.filter((group) => !served.has(group));
  const hint = 'Install the chart clearmesh-base, which brings ours, and the Gateway API’s standard channel.';
  return noneOf('custom resources', few(groups), missing, 'not served', hint);
}

function rootCertificate({ view, bundles }: FactsAfter): Result {
  const name = 'root certificate in every namespace';
  if (bundles === 'forbidden') return unknown(name, 'config maps may not be read by you');
  const byNamespace = new Map(bundles.map((bundle) => [bundle.namespace, bundle.rootPem]));
  const root = byNamespace.get(view.options.rootNamespace);
  const hint =
    'Proxies there cannot trust the control plane: see its log, and whether one replica leads (Lease clearmesh-status).';
  if (root === undefined || root === '') return failed(name, `namespace ${view.options.rootNamespace} has none`, hint);
  const wrong = [...view.collections.namespaces.values()].filter(({ metadata }) => {
    const held = byNamespace.get(metadata.name);
    const bundle = held === undefined ? 'missing' : held === root ? 'right' : 'wrong';
    const active = metadata.deletionTimestamp === undefined;
    return decideBundle(metadata.name, { active, bundle, mendedMs: [], nowMs: view.nowMs }).kind !== 'leave';
  });
  return noneOf(
    name,
    `${byNamespace.size} namespaces`,
    wrong.map(({ metadata }) => metadata.name),
    'missing, or another one, in',
    hint,
  );
}

function notCaptured({ collections, options }: MeshView): Result {
  const name = 'enrolled pods are captured';
  const enrolled = collections.pods.filter(
    (pod) => !isFinished(pod) && enrolmentOf(pod, collections.namespaces, options.rootNamespace).kind === 'capture',
  );
  const missing = enrolled.filter((pod) => captureOf(pod) !== 'captured');
  const pending = missing.some((pod) => captureOf(pod) === 'pending');
  const hint = pending
    ? 'Their traffic is refused until ztunnel takes them: see the ztunnel of their node.'
    : 'Their traffic passes outside of the mesh: see the node agent of their node; a pod that started before it is taken at its next start.';
  return noneOf(
    name,
    `${enrolled.length} pods`,
    missing.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    'not captured',
    hint,
  );
}

function waypoints({ collections, conditions }: MeshView): Result {
  const all = collections.gateways.filter(isWaypoint).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const bad = all.filter((name) => {
    const programmed = conditions.get(`Gateway ${name}`)?.find(({ type }) => type === 'Programmed');
    return programmed?.status !== 'True';
  });
  return noneOf(
    'waypoints are programmed',
    `${all.length} waypoints`,
    bad,
    'not programmed',
    'clearmesh waypoint status says what each lacks.',
  );
}

/** Calls of such a Service are refused. */
function bindings({ model }: MeshView): Result {
  const name = 'waypoints that are asked for take traffic';
  const all = [...model.bindings.services];
  const bad = all
    .filter(([, { reason }]) => reason !== 'WaypointAccepted')
    .map(([service, { gateway, reason }]) => `${service} → ${gateway} (${reason})`);
  return noneOf(
    name,
    `${all.length} Services are behind one`,
    bad,
    'not bound',
    'clearmesh describe service says why; calls to them are refused meanwhile.',
  );
}

function brokenObjects({ problems }: MeshView): Result {
  const objects = [...new Set(problems.map(({ object }) => object))];
  if (objects.length === 0) return ok('objects are in force as written', 'no object is left out');
  return warning(
    'objects are in force as written',
    `left out: ${few(objects)}`,
    'Each says in its status what is wrong: kubectl get … -o yaml, or clearmesh describe namespace.',
  );
}
