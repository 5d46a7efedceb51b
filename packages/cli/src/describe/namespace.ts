/** `clearmesh describe namespace`. Pure. */
import { environmentOf } from '@clearmesh/control-plane/manifest/environment';
import { isWaypoint } from '@clearmesh/control-plane/manifest/gateway';
import { isFinished } from '@clearmesh/control-plane/manifest/pod';
import { DATAPLANE_MODE } from '@clearmesh/node-agent/enrol/enrolment';
import { notInForce } from '../mesh/not-in-force.ts';
import type { MeshView } from '../mesh/mesh-view.ts';
import { mtlsOf } from '../why/mtls.ts';
import { partyOf } from '../why/party.ts';
import { rulesText } from '../why/rule-text.ts';
import { bindingText } from './binding.ts';
import { conditionRows } from './conditions.ts';
import type { Row } from '../terminal/rows.ts';
import type { Description, Section } from './description.ts';

const useWaypoint = 'istio.io/use-waypoint';

export function describeNamespace(view: MeshView, name: string): Description {
  const namespace = view.collections.namespaces.get(name);
  const labels = namespace?.metadata.labels ?? {};
  const mtls = mtlsOf(view, name, undefined);
  return {
    kind: 'Namespace',
    name,
    origin: view.origin,
    sections: [
      {
        title: 'Mesh',
        facts: {
          enrolment: `label ${DATAPLANE_MODE}: ${labels[DATAPLANE_MODE] ?? 'absent, so that its pods are not enrolled'}`,
          mTLS: `${mtls.mode}, by ${mtls.by}`,
          waypoint: `label ${useWaypoint}: ${labels[useWaypoint] ?? 'absent'}`,
          environment: environmentOf(namespace),
        },
      },
      pods(view, name),
      services(view, name),
      waypoints(view, name),
      policies(view, name),
    ],
    remarks: [...view.remarks, ...view.problems.filter(({ object }) => object.includes(` ${name}/`)).map(notInForce)],
  };
}

function pods(view: MeshView, namespace: string): Section {
  const here = view.collections.pods.filter((pod) => pod.metadata.namespace === namespace && !isFinished(pod));
  const rows = here.map((pod): Row => {
    const { name, node, capture, enrolment, workload } = partyOf(view, pod);
    const health = workload === undefined ? 'does not run' : workload.status === 'HEALTHY' ? 'ready' : 'not ready';
    return {
      pod: name.slice(namespace.length + 1),
      node,
      health,
      enrolled: enrolment.kind === 'skip' ? 'no' : 'yes',
      mesh: capture,
    };
  });
  return { title: 'Pods', rows };
}

function services(view: MeshView, namespace: string): Section {
  const rows = [...view.snapshot.services]
    .filter((service) => service.namespace === namespace)
    .map((service): Row => {
      const all = view.snapshot.endpoints(service.key);
      const ready = all.filter(({ status }) => status === 'HEALTHY').length;
      return {
        service: service.name,
        endpoints: `${ready}/${all.length}`,
        waypoint: bindingText(view.model.bindings.services.get(service.key), 'calls'),
      };
    });
  return { title: 'Services', rows };
}

function waypoints(view: MeshView, namespace: string): Section {
  const rows = view.collections.gateways
    .filter((gateway) => gateway.metadata.namespace === namespace && isWaypoint(gateway))
    .map(({ metadata: { name } }): Row => {
      const programmed = conditionRows(view, `Gateway ${namespace}/${name}`).find(({ condition }) => condition === 'Programmed');
      return { gateway: name, programmed: programmed?.['status'] ?? 'Unknown', message: programmed?.['message'] ?? '' };
    });
  return { title: 'Waypoints', rows };
}

function policies(view: MeshView, namespace: string): Section {
  const rows = view.collections.authorizationPolicies
    .filter(({ metadata }) => metadata.namespace === namespace)
    .map((policy): Row => {
      const { name } = policy.metadata;
      const [condition] = conditionRows(view, `AuthorizationPolicy ${namespace}/${name}`);
      const state = condition === undefined ? '' : `${condition['condition'] ?? ''}=${condition['status'] ?? ''}`;
      return { policy: name, action: policy.spec?.action ?? 'ALLOW', state, says: rulesText(policy).join('; ') };
    });
  return { title: 'Authorization policies', rows };
}
