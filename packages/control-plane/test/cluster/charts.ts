/** What the charts make, for tests of the control plane under the rights and with the arguments that they give it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { installHelm } from '@clearmesh/shared/testing/kubernetes/install-kubernetes';

const run = promisify(execFile);

export type ChartObject = {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: unknown;
};

type DeploymentObject = {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } };
  };
};

/** Objects of a release that has the chart's name, without those of hooks. */
export async function chartObjects(
  chart: string,
  namespace: string,
  values: readonly string[] = [],
): Promise<readonly ChartObject[]> {
  const path = fileURLToPath(new URL(`../../../../charts/${chart}`, import.meta.url));
  const set = values.flatMap((value) => ['--set', value]);
  const args = ['template', chart, path, '--namespace', namespace, '--kube-version', '1.37.2', ...set];
  const { stdout } = await run(await installHelm(), args, { maxBuffer: 64 * 1024 * 1024 });
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as ChartObject | null)
    .filter((object) => object !== null)
    .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
}

export function textOf(objects: readonly object[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

/** Arguments of the one container of a Deployment. */
export function argumentsOf(objects: readonly ChartObject[]): readonly string[] {
  const deployment = objects.find(({ kind }) => kind === 'Deployment') as DeploymentObject | undefined;
  return deployment?.spec.template.spec.containers[0]?.args ?? [];
}
