/** The backend a route names: its service, its protocol, its endpoints now. */
import type { ServiceBackend } from '@clearmesh/shared/model/l7/route';
import type { AppProtocol } from '@clearmesh/shared/model/service';
import type { WorkloadUid } from '@clearmesh/shared/model/names';
import type { Workload } from '@clearmesh/shared/model/workload';
import type { Snapshot } from '@clearmesh/shared/snapshot/snapshot';
import { remembered } from '@clearmesh/shared/lifecycle/remembered';
import type { EndpointFinder } from '../forward/endpoints.ts';
import type { UpstreamEndpoint } from '../forward/upstream.ts';

export type Backend = {
  /** `namespace/hostname:port`. */
  readonly key: string;
  readonly endpoints: readonly UpstreamEndpoint[];
};

const none: readonly UpstreamEndpoint[] = [];
const nameOf = remembered(({ service, port }: ServiceBackend) => `${service}:${port}`);

/** @param only set when a pod was addressed: no other endpoint may answer */
export function backendOf(
  backend: ServiceBackend,
  spoken: UpstreamEndpoint['protocol'] | 'upgrade',
  only: WorkloadUid | undefined,
  snapshot: Snapshot,
  source: Workload,
  finder: EndpointFinder,
): Backend {
  const { port } = backend;
  const service = snapshot.service(backend.service);
  const name = nameOf(backend);
  if (service === undefined) return { key: name, endpoints: none };
  const declared = service.ports.find(({ servicePort }) => servicePort === port)?.appProtocol;
  const asked = { service, port, protocol: protocolOf(declared, spoken), ...(only === undefined ? {} : { only }) };
  return { key: name, endpoints: finder.endpoints(snapshot, source, asked) };
}

/** As declared, else as the caller speaks: who sends HTTP/2 with prior knowledge knows that the service speaks it. */
function protocolOf(
  declared: AppProtocol | undefined,
  spoken: UpstreamEndpoint['protocol'] | 'upgrade',
): UpstreamEndpoint['protocol'] {
  // RFC 9110 section 7.8: a field of HTTP/1.1.
  if (spoken === 'upgrade') return 'HTTP/1.1';
  if (declared === 'GRPC' || declared === 'HTTP2') return 'HTTP/2';
  return declared === 'HTTP11' ? 'HTTP/1.1' : spoken;
}
