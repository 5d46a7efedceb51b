/**
 * What kubelet and the node agent know of pods, as a file beside the manifests: addresses, node, readiness, capture.
 * It is replaced by rename; a missing file says nothing of any pod.
 */
import { Type } from 'typebox';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { checkShape } from '@clearmesh/shared/document/check-shape';
import { findingProblem, yamlProblem } from '@clearmesh/shared/document/document-problem';
import { readYaml } from '@clearmesh/shared/document/yaml-documents';
import type { PodManifest, PodStatus } from '../manifest/pod.ts';
import type { Problem } from '@clearmesh/shared/document/problem';

/** What the file says of one pod; absent fields leave the manifest as it is. */
export type PodFacts = {
  readonly podIPs?: readonly string[];
  readonly nodeName?: string;
  readonly ready?: boolean;
  /** `enabled`: the capture rules stand and the proxy took the pod over; `pending`: the rules only; `disabled`: none. */
  readonly redirection?: 'enabled' | 'pending' | 'disabled';
  readonly uid?: string;
};

/** By `namespace/name` of the pod. */
export type StatusFile = ReadonlyMap<string, PodFacts>;

export type StatusReading =
  | { readonly kind: 'status'; readonly status: StatusFile }
  | { readonly kind: 'rejected'; readonly problems: readonly Problem[] };

const redirectionAnnotation = 'ambient.istio.io/redirection';
const strict = { additionalProperties: false };
const address = Type.Refine(
  Type.String(),
  (text) => parseIp(text) !== undefined,
  () => 'an IP address, such as 10.244.1.2',
);
const facts = Type.Object(
  {
    podIPs: Type.Optional(Type.Array(address)),
    nodeName: Type.Optional(Type.String()),
    ready: Type.Optional(Type.Boolean()),
    redirection: Type.Optional(Type.Enum(['enabled', 'pending', 'disabled'])),
    uid: Type.Optional(Type.String()),
  },
  strict,
);
const schema = Type.Object({ pods: Type.Optional(Type.Union([Type.Record(Type.String(), facts), Type.Null()])) }, strict);
/** The same without the union, whose errors would not say which field is wrong. */
const detailed = Type.Object({ pods: Type.Optional(Type.Record(Type.String(), facts)) }, strict);

export function parseStatusFile(file: string, text: string): StatusReading {
  const { documents, faults } = readYaml(text);
  if (faults.length > 0) {
    return { kind: 'rejected', problems: faults.map(({ line, column, message }) => yamlProblem(file, line, column, message)) };
  }
  const document = documents[0];
  if (document === undefined) return { kind: 'status', status: new Map() };
  if (documents.length > 1) return { kind: 'rejected', problems: [yamlProblem(file, 1, 1, 'must hold one document')] };
  if (checkShape(schema, document.value).length > 0) {
    const findings = checkShape(detailed, document.value);
    const problems = findings.map((finding) => findingProblem(finding, 'MESH-CONFIG-001', file, 'status', document.locate));
    return { kind: 'rejected', problems };
  }
  const { pods } = document.value as { readonly pods?: Readonly<Record<string, PodFacts>> | null };
  return { kind: 'status', status: new Map(Object.entries(pods ?? {})) };
}

/** The pod as an API server would show it. */
export function withFacts(pod: PodManifest, known: PodFacts | undefined): PodManifest {
  if (known === undefined) return pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(known.uid === undefined ? {} : { uid: known.uid }),
      ...(known.redirection === undefined ? {} : { annotations: annotated(pod, known.redirection) }),
    },
    spec: { ...pod.spec, ...(known.nodeName === undefined ? {} : { nodeName: known.nodeName }) },
    status: statusWith(pod.status, known),
  };
}

function annotated(pod: PodManifest, redirection: 'enabled' | 'pending' | 'disabled'): Readonly<Record<string, string>> {
  const { [redirectionAnnotation]: _replaced, ...others } = pod.metadata.annotations ?? {};
  return redirection === 'disabled' ? others : { ...others, [redirectionAnnotation]: redirection };
}

function statusWith(status: PodStatus = {}, known: PodFacts): PodStatus {
  const { podIPs, ready } = known;
  const others = (status.conditions ?? []).filter((condition) => condition.type !== 'Ready');
  return {
    ...status,
    ...(podIPs === undefined ? {} : { podIP: podIPs[0] ?? '', podIPs: podIPs.map((ip) => ({ ip })) }),
    ...(ready === undefined ? {} : { conditions: [...others, { type: 'Ready', status: ready ? 'True' : 'False' }] }),
  };
}
