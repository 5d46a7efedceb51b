/** A small bank as objects, and a mesh of it. */
import { withGatewayPods } from '@clearmesh/control-plane/deploy/gateway-pods';
import { defaultDeriveOptions } from '@clearmesh/control-plane/derive/options';
import { collect } from '@clearmesh/control-plane/manifest/collections';
import { parseManifestFile } from '@clearmesh/control-plane/watch/manifest-file';
import type { Collections } from '@clearmesh/control-plane/manifest/collections';
import { meshView } from '../../src/mesh/mesh-view.ts';
import type { MeshView } from '../../src/mesh/mesh-view.ts';
import { asIfRunning } from '../../src/mesh/running-collections.ts';
import { manifestRules } from '../../src/up/manifests.ts';

export const nowMs: number = Date.parse('2026-03-01T12:00:00Z');

export const bank = `
apiVersion: v1
kind: Namespace
metadata: { name: payments, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: v1
kind: Namespace
metadata: { name: ledger, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: v1
kind: Namespace
metadata: { name: branch }
---
apiVersion: v1
kind: Pod
metadata: { name: payments-0, namespace: payments, labels: { app: payments } }
spec: { serviceAccountName: payments, nodeName: node-a }
---
apiVersion: v1
kind: Pod
metadata: { name: desk-0, namespace: branch, labels: { app: desk } }
spec: { serviceAccountName: desk, nodeName: node-a, containers: [{ ports: [{ containerPort: 9000 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: ledger-0, namespace: ledger, labels: { app: ledger } }
spec: { serviceAccountName: ledger, nodeName: node-b, containers: [{ ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: ledger-1, namespace: ledger, labels: { app: ledger } }
spec: { serviceAccountName: ledger, nodeName: node-b, containers: [{ ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: ledger, namespace: ledger }
spec: { clusterIP: 10.96.0.20, selector: { app: ledger }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
`;

/** Everything that has labels goes through the waypoint. */
export const waypoint = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gate, namespace: ledger }
spec: { gatewayClassName: clearmesh-waypoint, listeners: [{ name: mesh, port: 15008, protocol: HBONE }] }
---
apiVersion: v1
kind: Service
metadata: { name: books, namespace: ledger, labels: { istio.io/use-waypoint: gate } }
spec: { clusterIP: 10.96.0.30, selector: { app: ledger }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
`;

export function authorization(name: string, spec: object, namespace = 'ledger'): string {
  return JSON.stringify({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name, namespace }, spec });
}

export function object(apiVersion: string, kind: string, metadata: object, spec: object): string {
  return JSON.stringify({ apiVersion, kind, metadata, spec });
}

function collectionsOf(...documents: readonly string[]): Collections {
  const { objects, problems } = parseManifestFile('bank.yaml', documents.join('\n---\n'), manifestRules);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return withGatewayPods(collect(objects.map(({ manifest }) => manifest)));
}

/** As `--directory` sees it. */
export function viewOf(documents: readonly string[], ifEnrolled = false): MeshView {
  const collections = asIfRunning(collectionsOf(...documents), { systemNamespace: 'clearmesh-system', ifEnrolled });
  const objects = {
    origin: 'a test',
    collections,
    options: defaultDeriveOptions,
    problems: [],
    conditions: new Map(),
    remarks: [],
  };
  return meshView(objects, nowMs);
}
