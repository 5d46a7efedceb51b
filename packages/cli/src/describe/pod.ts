/** `clearmesh describe pod`. Pure. */
import { bindingsOf, formatBinding } from '@clearmesh/ztunnel/authorise/waypoint-traversal';
import { serviceAccountOf } from '@clearmesh/control-plane/manifest/pod';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { MeshView } from '../mesh/mesh-view.ts';
import { mtlsOf } from '../why/mtls.ts';
import { enrolChange, partyOf } from '../why/party.ts';
import type { Party } from '../why/party.ts';
import { bindingText } from './binding.ts';
import type { Description, Section } from './description.ts';
import { policyRows } from './policies.ts';

export function describePod(view: MeshView, pod: PodManifest): Description {
  const party = partyOf(view, pod);
  return {
    kind: 'Pod',
    name: party.name,
    origin: view.origin,
    sections: [identity(pod, party), membership(view, pod, party), ...traffic(view, pod, party.workload)],
    remarks: view.remarks,
  };
}

function identity(pod: PodManifest, { identity: id, node, workload }: Party): Section {
  return {
    title: 'Identity',
    facts: {
      account: serviceAccountOf(pod),
      identity: id,
      node: node === '' ? 'none yet' : node,
      addresses: workload?.addresses.join(', ') ?? 'none yet',
      health: workload === undefined ? 'does not run' : workload.status === 'HEALTHY' ? 'ready' : 'not ready',
    },
  };
}

function membership(view: MeshView, pod: PodManifest, party: Party): Section {
  const { enrolment, capture, workload } = party;
  const { metadata } = pod;
  const binding = workload === undefined ? undefined : view.model.bindings.workloads.get(workload.uid);
  const mtls = mtlsOf(view, metadata.namespace, metadata.labels);
  const missing = capture === 'none' && enrolment.kind !== 'skip' ? `; ${enrolChange(party)}` : '';
  return {
    title: 'Mesh',
    facts: {
      enrolment: `${enrolment.kind === 'skip' ? 'not enrolled' : 'enrolled'}: ${enrolment.explanation}`,
      capture: `${captures[capture]}${missing}`,
      mTLS:
        capture === 'none'
          ? `not in force outside of the mesh (it would be ${mtls.mode}, by ${mtls.by})`
          : `${mtls.mode}, by ${mtls.by}`,
      waypoint: bindingText(binding, 'calls of its own address'),
    },
  };
}

const captures = {
  captured: 'captured: ztunnel takes its connections',
  pending: 'pending: rules are there, ztunnel has not taken it; its traffic is refused',
  own: 'it speaks HBONE itself',
  none: 'not captured: its traffic does not pass the mesh',
} as const;

function traffic(view: MeshView, pod: PodManifest, workload: Workload | undefined): readonly Section[] {
  if (workload === undefined) return [];
  const services = [...workload.services].map(([key, ports]) => {
    const service = view.snapshot.service(key);
    const name = service === undefined ? key : `${service.namespace}/${service.name}`;
    return { service: name, ports: ports.map(({ servicePort, targetPort }) => `${servicePort}→${targetPort}`).join(', ') };
  });
  const required = bindingsOf(workload, view.snapshot).map((binding) => ({ binding: formatBinding(binding) }));
  return [
    { title: 'Services it stands behind', rows: services },
    ...(required.length === 0 ? [] : [{ title: 'Takes connections from its waypoint only', rows: required }]),
    { title: 'Policies at its ztunnel', rows: policyRows(view, [workload], pod.metadata.labels) },
  ];
}
