/** What ztunnel tells of itself (`GET /config_dump`), as far as it is shown. Read once, from text that anybody may have written. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

type DumpedWorkload = {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly workloadIps: readonly string[];
  readonly node: string;
  readonly protocol: string;
  readonly status: string;
  /** `namespace/hostname`; "" without one. */
  readonly waypoint: string;
};

type DumpedService = {
  readonly name: string;
  readonly namespace: string;
  readonly hostname: string;
  /** `network/ip`. */
  readonly vips: readonly string[];
  readonly waypoint: string;
  readonly endpoints: readonly { readonly workloadUid: string; readonly status: string }[];
};

type DumpedPolicy = {
  readonly name: string;
  readonly namespace: string;
  readonly action: string;
  readonly scope: string;
  readonly dryRun: boolean;
};

export type DumpedPem = { readonly serialNumber: string; readonly validFrom: string; readonly expirationTime: string };

export type DumpedCertificate = {
  readonly identity: string;
  readonly state: string;
  readonly certChain: readonly DumpedPem[];
  readonly rootCerts: readonly DumpedPem[];
};

type DumpedConnection = {
  /** `namespace/name` of the pod that ztunnel carries it for. */
  readonly workload: string;
  readonly direction: 'inbound' | 'outbound';
  readonly src: string;
  readonly originalDst: string;
  readonly actualDst: string;
  readonly protocol: string;
};

type DumpedPod = {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly state: string;
  /** Numbers, comma-separated; `dns` among them where names are answered; `None`, and "" where that is not told. */
  readonly listeners: string;
  /** Inbound and outbound. */
  readonly connections: readonly [number, number];
  readonly lastFailure: string;
  /** False for a pod that the control plane does not know. */
  readonly known: boolean;
};

export type ZtunnelDump = {
  readonly version: string;
  readonly workloads: readonly DumpedWorkload[];
  readonly services: readonly DumpedService[];
  readonly policies: readonly DumpedPolicy[];
  readonly certificates: readonly DumpedCertificate[];
  readonly connections: readonly DumpedConnection[];
  readonly pods: readonly DumpedPod[];
};

/** @param from for the message: a file, or a pod */
export function parseDump(text: string, from: string): ZtunnelDump {
  const dump = parseJson(text);
  if (dump === undefined || !('workloads' in dump) || !('services' in dump)) {
    const hint = 'Take it from a ztunnel: GET /config_dump at 127.0.0.1:15000 in its pod.';
    throw new MeshError('MESH-CONFIG-003', { message: `${from} is no configuration of a ztunnel`, hint });
  }
  return {
    version: textAt(recordAt(dump, 'version'), 'version'),
    workloads: listAt(dump, 'workloads').map(workload),
    services: listAt(dump, 'services').map(service),
    policies: listAt(dump, 'policies').map(policy),
    certificates: listAt(dump, 'certificates').map(certificate),
    connections: Object.values(recordAt(dump, 'workloadState')).flatMap((state) => connections(asRecord(state))),
    pods: Object.values(recordAt(dump, 'workloadState')).map((state) => pod(asRecord(state))),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function workload(fields: Fields): DumpedWorkload {
  return {
    uid: textAt(fields, 'uid'),
    name: textAt(fields, 'name'),
    namespace: textAt(fields, 'namespace'),
    workloadIps: textsAt(fields, 'workloadIps'),
    node: textAt(fields, 'node'),
    protocol: textAt(fields, 'protocol'),
    status: textAt(fields, 'status'),
    waypoint: textAt(recordAt(fields, 'waypoint'), 'destination'),
  };
}

function service(fields: Fields): DumpedService {
  return {
    name: textAt(fields, 'name'),
    namespace: textAt(fields, 'namespace'),
    hostname: textAt(fields, 'hostname'),
    vips: textsAt(fields, 'vips'),
    waypoint: textAt(recordAt(fields, 'waypoint'), 'destination'),
    endpoints: Object.values(recordAt(fields, 'endpoints')).map((each) => {
      const endpoint = asRecord(each);
      return { workloadUid: textAt(endpoint, 'workloadUid'), status: textAt(endpoint, 'status') };
    }),
  };
}

function policy(fields: Fields): DumpedPolicy {
  const { dryRun } = fields;
  return {
    name: textAt(fields, 'name'),
    namespace: textAt(fields, 'namespace'),
    action: textAt(fields, 'action'),
    scope: textAt(fields, 'scope'),
    dryRun: dryRun === true,
  };
}

function certificate(fields: Fields): DumpedCertificate {
  return {
    identity: textAt(fields, 'identity'),
    state: textAt(fields, 'state'),
    certChain: listAt(fields, 'certChain').map(pem),
    rootCerts: listAt(fields, 'rootCerts').map(pem),
  };
}

function pem(fields: Fields): DumpedPem {
  return {
    serialNumber: textAt(fields, 'serialNumber'),
    validFrom: textAt(fields, 'validFrom'),
    expirationTime: textAt(fields, 'expirationTime'),
  };
}

function connections(state: Fields): readonly DumpedConnection[] {
  const info = recordAt(state, 'info');
  const held = recordAt(state, 'connections');
  const name = `${textAt(info, 'namespace')}/${textAt(info, 'name')}`;
  return (['inbound', 'outbound'] as const).flatMap((direction) =>
    listAt(held, direction).map((each) => ({
      workload: name,
      direction,
      src: textAt(each, 'src'),
      originalDst: textAt(each, 'originalDst'),
      actualDst: textAt(each, 'actualDst'),
      protocol: textAt(each, 'protocol'),
    })),
  );
}

/** Of a ztunnel of another make there is no status, and the connections it lists are what is known. */
function pod(state: Fields): DumpedPod {
  const info = recordAt(state, 'info');
  const status = recordAt(state, 'status');
  const held = recordAt(state, 'connections');
  const counts = recordAt(status, 'connections');
  const ports = Array.isArray(status['listeners']) ? status['listeners'].map(String) : undefined;
  const count = (direction: 'inbound' | 'outbound'): number =>
    typeof counts[direction] === 'number' ? counts[direction] : listAt(held, direction).length;
  return {
    name: textAt(info, 'name'),
    namespace: textAt(info, 'namespace'),
    serviceAccount: textAt(info, 'serviceAccount'),
    state: textAt(state, 'state'),
    listeners: ports?.length === 0 ? 'None' : [...(ports ?? []), ...(status['dns'] === true ? ['dns'] : [])].join(','),
    connections: [count('inbound'), count('outbound')],
    lastFailure: textAt(recordAt(status, 'lastFailure'), 'error'),
    known: status['workload'] !== null,
  };
}

function parseJson(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function recordAt(fields: Fields, key: string): Fields {
  return asRecord(fields[key]);
}

function listAt(fields: Fields, key: string): readonly Fields[] {
  const value = fields[key];
  return Array.isArray(value) ? value.map(asRecord) : [];
}

function textAt(fields: Fields, key: string): string {
  const value = fields[key];
  return typeof value === 'string' ? value : '';
}

function textsAt(fields: Fields, key: string): readonly string[] {
  const value = fields[key];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
