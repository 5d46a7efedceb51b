import { parseAllDocuments } from 'yaml';

export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
};

type PodTemplate = { readonly metadata: { readonly labels: object }; readonly spec: object };
export type Workload = KubernetesObject & { readonly spec: { readonly template: PodTemplate } };

export function objectsIn(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

/** The pod that a Deployment, DaemonSet or Job would make. */
export function podOf({ metadata, spec }: Workload): object {
  const { name, namespace } = metadata;
  const { template } = spec;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...template.metadata, name, namespace }, spec: template.spec };
}

/** As kubectl reads them. */
export function textOf(objects: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
}
