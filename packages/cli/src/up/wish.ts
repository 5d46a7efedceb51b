/** From manifests to what the nodes shall run: pods with their node, enrolment and container. Pure. */
import { objectName } from '@clearmesh/control-plane/manifest/collections';
import type { Collections } from '@clearmesh/control-plane/manifest/collections';
import { isFinished, serviceAccountOf } from '@clearmesh/control-plane/manifest/pod';
import type { PodManifest } from '@clearmesh/control-plane/manifest/pod';
import type { Finding } from '@clearmesh/shared/document/finding';
import { decideEnrolment } from '@clearmesh/node-agent/enrol/enrolment';
import { DNS_CAPTURE, redirectionOf } from '@clearmesh/node-agent/redirect/redirection';
import { readContainer } from './container-spec.ts';
import type { ContainerReading } from './container-spec.ts';
import type { ContainerSpec, DesiredPod } from './desired-pod.ts';
import type { Wish } from './kubelet.ts';
import { place } from './placement.ts';
import { gatewayOf, tokenFileOf, waypointContainer } from './waypoint-container.ts';
import type { WaypointPlaces } from './waypoint-container.ts';

export type WishOptions = {
  readonly nodes: readonly string[];
  /** Where pods without `spec.nodeName` are already. */
  readonly current: ReadonlyMap<string, string>;
  readonly waypoints: WaypointPlaces;
};

/** A finding about the pod of this key. */
export type PodFinding = { readonly key: string; readonly finding: Finding };

export type WishReading =
  | { readonly ok: true; readonly wish: Wish }
  | { readonly ok: false; readonly findings: readonly PodFinding[] };

/** Kubernetes' default. */
const graceSeconds = 30;

/** The wish of `collections`, whole or not at all. */
export function readWish(collections: Collections, options: WishOptions): WishReading {
  const live = collections.pods.filter((pod) => !isFinished(pod));
  const wanted = live.map((pod) => ({ key: objectName(pod.metadata), nodeName: pod.spec?.nodeName || undefined }));
  const nodes = place(wanted, options.nodes, options.current);
  const findings: PodFinding[] = [];
  const pods = live.flatMap((pod) => {
    const key = objectName(pod.metadata);
    const reading = containerOf(pod, options.waypoints);
    const nodeName = nodes.get(key) ?? '';
    const inContainer = reading.ok ? [] : reading.findings.map(inPod);
    const found = [...placeFindings(pod, nodeName, options.nodes), ...captureFindings(pod), ...inContainer];
    findings.push(...found.map((finding) => ({ key, finding })));
    return reading.ok ? [desiredPod(pod, { nodeName, reading, collections })] : [];
  });
  return findings.length > 0 ? { ok: false, findings } : { ok: true, wish: { pods, services: collections.services } };
}

type Container = { readonly ok: true; readonly spec: ContainerSpec; readonly tokenFile?: string };

/** What the manifest has, or what its Gateway implies. */
function containerOf(pod: PodManifest, places: WaypointPlaces): Container | Extract<ContainerReading, { readonly ok: false }> {
  const gateway = gatewayOf(pod);
  if (gateway === undefined) return readContainer(pod.spec?.containers?.[0]);
  const tokenFile = tokenFileOf(places.tokenDir, pod.metadata);
  return { ok: true, spec: waypointContainer(gateway, tokenFile, places), tokenFile };
}

function inPod(finding: Finding): Finding {
  return { ...finding, path: ['spec', 'containers', 0, ...finding.path] };
}

function placeFindings(pod: PodManifest, nodeName: string, nodes: readonly string[]): readonly Finding[] {
  const findings: Finding[] = [];
  if (!nodes.includes(nodeName)) {
    const remedy = `Write one of ${nodes.join(', ')}, or leave it out; new nodes need a new start.`;
    findings.push({ path: ['spec', 'nodeName'], value: nodeName, message: 'is no node here', remedy });
  }
  if (pod.spec?.hostNetwork === true) {
    findings.push({ path: ['spec', 'hostNetwork'], value: true, message: 'is not simulated', remedy: 'Leave it out.' });
  }
  return findings;
}

/** An annotation that does nothing, or that is about names: the pods here have the machine’s resolver. */
function captureFindings(pod: PodManifest): readonly Finding[] {
  const { annotations = {} } = pod.metadata;
  const { redirection, rejected } = redirectionOf(annotations);
  const findings: Finding[] = rejected.map(({ annotation, value, reason }) => {
    return { path: ['metadata', 'annotations', annotation], value, message: reason, remedy: 'Correct it, or leave it out.' };
  });
  if (redirection.dnsCapture === true) {
    const path = ['metadata', 'annotations', DNS_CAPTURE];
    const remedy = 'Leave it out, or write "false".';
    findings.push({ path, value: annotations[DNS_CAPTURE], message: 'is not simulated', remedy });
  }
  return findings;
}

type Decided = { readonly nodeName: string; readonly reading: Container; readonly collections: Collections };

function desiredPod(pod: PodManifest, { nodeName, reading, collections }: Decided): DesiredPod {
  const { name, namespace, labels = {}, annotations = {}, deletionTimestamp } = pod.metadata;
  // The address is not here yet, and never the reason: a sandbox has one before it is asked about.
  const facts = { name, namespace, labels, annotations, hostNetwork: false, phase: 'Running', podIps: ['assigned'] };
  const namespaceLabels = collections.namespaces.get(namespace)?.metadata.labels ?? {};
  return {
    key: objectName(pod.metadata),
    namespace,
    name,
    nodeName,
    serviceAccount: serviceAccountOf(pod),
    labels,
    container: reading.spec,
    ...(reading.tokenFile === undefined ? {} : { tokenFile: reading.tokenFile }),
    enrolled: decideEnrolment(facts, { namespaceLabels }).kind === 'capture',
    redirection: redirectionOf(annotations).redirection,
    terminating: deletionTimestamp !== undefined,
    graceSeconds,
  };
}
