/** The mesh in a screen: how much of it is in force, and where. Pure. */
import { isFinished } from '@clearmesh/control-plane/manifest/pod';
import { belongsToWaypoint } from '@clearmesh/control-plane/manifest/managed';
import { targetsOf } from '@clearmesh/control-plane/manifest/target-ref';
import type { Component } from '../check/after.ts';
import type { Row } from '../terminal/rows.ts';
import { captureOf, enrolmentOf } from '../mesh/capture.ts';
import { notInForce } from '../mesh/not-in-force.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import { Block } from '../terminal/block.ts';
import { renderRows } from '../terminal/rows.ts';
import type { Style } from '../terminal/style.ts';
import { allProgrammed, chosen } from '../waypoint/tables.ts';
import { mtlsOf } from '../why/mtls.ts';

/** As far as there are any: a directory has none. */
export type Components = Readonly<Record<string, Component | undefined | 'forbidden'>>;

export type Overview = {
  readonly origin: string;
  /** Such as `2 of 2 ready`. */
  readonly components: Row;
  readonly mesh: Row;
  readonly namespaces: readonly Row[];
  readonly problems: readonly string[];
  readonly remarks: readonly string[];
};

export function overviewOf(view: MeshView, components: Components): Overview {
  const { collections, problems, origin, remarks } = view;
  const pods = membership(view);
  const bound = [...view.model.bindings.services.values()].filter(({ served }) => served).length;
  const waypoints = chosen(view, {});
  const ready = waypoints.filter(({ metadata }) =>
    allProgrammed(view, { namespace: metadata.namespace, names: [metadata.name] }),
  );
  const targeted = collections.authorizationPolicies.filter(({ spec }) => targetsOf(spec ?? {}).length > 0).length;
  const mtls = mtlsOf(view, view.options.rootNamespace, undefined);
  return {
    origin,
    components: Object.fromEntries(Object.entries(components).map(([name, found]) => [name, componentText(found)])),
    mesh: {
      pods: `${pods.captured} in the mesh, ${pods.missing} enrolled and not captured, ${pods.outside} outside`,
      services: `${view.model.services.length}, ${bound} of them behind a waypoint`,
      waypoints: `${ready.length} of ${waypoints.length} programmed`,
      policies: `${collections.authorizationPolicies.length - targeted} at ztunnels, ${targeted} at waypoints`,
      mTLS: `${mtls.mode}, by ${mtls.by}`,
      trust: view.options.trustDomain,
    },
    namespaces: [...collections.namespaces.keys()].map((name) => namespaceRow(view, name)).filter((row) => row !== undefined),
    problems: [...new Set(problems.map(notInForce))],
    remarks,
  };
}

export function renderOverview(overview: Overview, width: number, style: Style): readonly string[] {
  const { origin, components, mesh, namespaces, problems, remarks } = overview;
  const block = new Block(width, style);
  block.line(`${style.bold('Clearmesh')} ${style.dim(`(${origin})`)}`);
  for (const [name, text] of [...Object.entries(components), ...Object.entries(mesh)]) block.fact(name, text);
  block.line('');
  if (namespaces.length === 0) block.line('  no namespace has pods or policies');
  else for (const [index, line] of renderRows(namespaces).entries()) block.line(`  ${index === 0 ? style.dim(line) : line}`);
  block.list('Not in force', problems);
  block.list('Note', remarks);
  return block.lines;
}

function componentText(found: Component | undefined | 'forbidden'): string {
  if (found === 'forbidden') return 'may not be read by you';
  return found === undefined ? 'not installed' : `${found.ready} of ${found.desired} ready`;
}

type Membership = { readonly captured: number; readonly missing: number; readonly outside: number };

function membership({ collections, options }: MeshView, namespace?: string): Membership {
  const count = { captured: 0, missing: 0, outside: 0 };
  for (const pod of collections.pods) {
    const { metadata } = pod;
    if (isFinished(pod) || belongsToWaypoint(metadata.labels) || (namespace !== undefined && metadata.namespace !== namespace))
      continue;
    if (captureOf(pod) === 'captured') count.captured += 1;
    else if (enrolmentOf(pod, collections.namespaces, options.rootNamespace).kind === 'capture') count.missing += 1;
    else count.outside += 1;
  }
  return count;
}

/** Namespaces without pods and policies say nothing. */
function namespaceRow(view: MeshView, namespace: string): Row | undefined {
  const { captured, missing, outside } = membership(view, namespace);
  const policies = view.collections.authorizationPolicies.filter(({ metadata }) => metadata.namespace === namespace).length;
  if (captured + missing + outside + policies === 0) return undefined;
  const mtls = mtlsOf(view, namespace, undefined);
  const waypoints = [...view.model.bindings.services].filter(([key, { served }]) => served && key.startsWith(`${namespace}/`));
  return {
    namespace: namespace,
    'in the mesh': `${captured}/${captured + missing + outside}`,
    mtls: captured === 0 ? '' : mtls.mode,
    waypoint: [...new Set(waypoints.map(([, { gateway }]) => gateway))].join(', '),
    policies: String(policies),
  };
}
