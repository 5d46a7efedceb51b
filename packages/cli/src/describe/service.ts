/** `clearmesh describe service`. Pure. */
import { keyOfService } from '@clearmesh/control-plane/derive/service';
import type { ServiceManifest } from '@clearmesh/control-plane/manifest/service';
import { targetPortAt } from '@clearmesh/shared/resolve/endpoint';
import type { EndpointChoice, Service } from '@clearmesh/shared/model/service';
import type { MeshView } from '../mesh/mesh-view.ts';
import { captureOf } from '../mesh/capture.ts';
import { bindingText } from './binding.ts';
import { conditionRows } from './conditions.ts';
import type { Row } from '../terminal/rows.ts';
import type { Description, Section } from './description.ts';
import { policyRows, waypointRows } from './policies.ts';

export function describeService(view: MeshView, manifest: ServiceManifest): Description {
  const { namespace, name } = manifest.metadata;
  const key = keyOfService(manifest, view.options);
  const service = view.snapshot.service(key);
  const binding = view.model.bindings.services.get(key);
  const waypoint =
    binding === undefined ? undefined : view.model.waypoints.find((each) => `${each.namespace}/${each.name}` === binding.gateway);
  const bound = waypoint?.services.find((each) => each.key === key);
  const workloads = view.snapshot.endpoints(key);
  const labels = view.pods.get(workloads[0]?.uid ?? '')?.metadata.labels;
  return {
    kind: 'Service',
    name: `${namespace}/${name}`,
    origin: view.origin,
    sections: [
      {
        title: 'Destination',
        facts: {
          hostname: service?.hostname ?? 'an alias of another name (ExternalName): no destination of the mesh',
          addresses: service?.addresses.map(({ ip }) => ip).join(', ') || 'none: headless, its pods are called',
          ports: service?.ports.map((port) => portText(port)).join(', ') || 'none',
          waypoint: bindingText(binding, 'calls of it'),
          ...(service?.endpointChoice === undefined ? {} : { choice: choiceText(service.endpointChoice) }),
        },
      },
      ...(service === undefined ? [] : [endpoints(view, service)]),
      ...(waypoint === undefined || bound === undefined
        ? []
        : [{ title: `At waypoint ${waypoint.namespace}/${waypoint.name}`, rows: waypointRows(waypoint, bound) }]),
      { title: 'Policies at the ztunnels of its pods', rows: policyRows(view, workloads, labels) },
      { title: 'Conditions', rows: conditionRows(view, `Service ${namespace}/${name}`) },
    ],
    remarks: view.remarks,
  };
}

function choiceText({ leastRequest, connectAttempts }: EndpointChoice): string {
  const drawn = leastRequest ? 'of two endpoints drawn, the one with fewer connections' : 'an endpoint drawn at random';
  return connectAttempts === 1 ? drawn : `${drawn}; up to ${connectAttempts} of them until one takes the connection`;
}

function portText({ servicePort, targetPort, appProtocol }: Service['ports'][number]): string {
  const target = targetPort === 0 ? 'a named port' : String(targetPort);
  return `${servicePort} → ${target}${appProtocol === 'UNKNOWN' ? '' : ` (${appProtocol})`}`;
}

function endpoints(view: MeshView, service: Service): Section {
  const rows = view.snapshot.endpoints(service.key).map((workload): Row => {
    const pod = view.pods.get(workload.uid);
    const ports = service.ports.map(({ servicePort }) => targetPortAt(service, workload, servicePort) ?? 'unresolved');
    return {
      pod: `${workload.namespace}/${workload.name}`,
      address: workload.addresses.join(', '),
      ports: ports.join(', '),
      node: workload.node,
      health: workload.status === 'HEALTHY' ? 'ready' : 'not ready',
      mesh: pod === undefined ? '' : captureOf(pod),
    };
  });
  return { title: 'Endpoints', rows };
}
