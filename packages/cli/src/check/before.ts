/** `clearmesh check --pre`: may the mesh be installed here, and by you? The verdicts are pure; {@link factsBefore} asks. */
import { defaultDeriveOptions } from '@clearmesh/control-plane/derive/options';
import type { Problem } from '@clearmesh/shared/document/problem';
import { apiError, listOf } from '../mesh/api.ts';
import { policyProblems } from '../mesh/cluster-objects.ts';
import type { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import type { ApiObject } from '@clearmesh/control-plane/kubernetes/resource';
import { failed, few, noneOf, ok, warning } from './result.ts';
import { unreadPolicies } from './unread-policies.ts';
import type { Result } from './result.ts';

export type FactsBefore = {
  /** Such as `v1.33.1`. */
  readonly version: string;
  /** What the charts make, and whether you may. */
  readonly rights: readonly { readonly what: string; readonly allowed: boolean }[];
  /** API groups with their versions, such as `gateway.networking.k8s.io/v1`. */
  readonly groupVersions: ReadonlySet<string>;
  /** Deployments with label `app: istiod`, as `namespace/name`. */
  readonly istio: readonly string[];
  /** The control plane of this mesh is there. */
  readonly installed: boolean;
  /** Of policies that are there already, as those of Istio. */
  readonly problems: readonly Problem[] | 'forbidden';
};

/** As `kubeVersion` of the charts. */
const oldestMinor = 29;

export function checkBefore(facts: FactsBefore): readonly Result[] {
  const { version, rights, groupVersions, istio, installed, problems } = facts;
  const missing = rights.filter(({ allowed }) => !allowed).map(({ what }) => what);
  return [
    isNewEnough(version)
      ? ok('Kubernetes version', version)
      : failed('Kubernetes version', `${version} is too old`, `Upgrade the cluster to 1.${oldestMinor} or later.`),
    noneOf(
      'rights to install',
      'you may make everything of the charts',
      missing,
      'you may not create',
      'Ask for these rights, or let somebody with cluster-admin install.',
    ),
    groupVersions.has('gateway.networking.k8s.io/v1')
      ? ok('Gateway API', 'gateway.networking.k8s.io/v1 is served')
      : failed(
          'Gateway API',
          'its resources are not there',
          'Install the standard channel of the Gateway API, or do without waypoints: --set gatewayClasses.install=false.',
        ),
    istio.length === 0
      ? ok('Istio', 'none runs here')
      : warning(
          'Istio',
          `runs already: ${few(istio)}`,
          'Both read the same labels and policies: keep Istio’s ambient mode off, or give each a revision of its own; the chart asks with acceptIstio.',
        ),
    installed
      ? warning('Clearmesh', 'is installed already', 'To look at it, run clearmesh check without --pre.')
      : ok('Clearmesh', 'not installed yet'),
    unreadPolicies(problems),
  ];
}

function isNewEnough(version: string): boolean {
  const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= oldestMinor);
}

const wanted = [
  ['', 'namespaces'],
  ['', 'serviceaccounts'],
  ['', 'services'],
  ['', 'configmaps'],
  ['', 'secrets'],
  ['apps', 'deployments'],
  ['apps', 'daemonsets'],
  ['apiextensions.k8s.io', 'customresourcedefinitions'],
  ['rbac.authorization.k8s.io', 'clusterroles'],
  ['rbac.authorization.k8s.io', 'clusterrolebindings'],
  ['rbac.authorization.k8s.io', 'roles'],
  ['rbac.authorization.k8s.io', 'rolebindings'],
] as const;

const deployments = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };

export async function factsBefore(api: ApiClient, systemNamespace: string, signal: AbortSignal): Promise<FactsBefore> {
  const version = await api.call<{ readonly gitVersion?: string }>({ path: '/version' }, signal);
  if (version.kind !== 'ok') throw apiError(version, 'the API server cannot be asked');
  const rights = await Promise.all(wanted.map(([group, resource]) => right(api, group, resource, systemNamespace, signal)));
  const name = ({ metadata }: ApiObject): string => `${metadata.namespace}/${metadata.name}`;
  const listed = async (labelSelector: string): Promise<readonly string[]> =>
    (await listOf(api, deployments, name, signal, { labelSelector }).catch(() => undefined)) ?? [];
  return {
    version: version.body.gitVersion ?? 'unknown',
    rights,
    groupVersions: await groupVersions(api, signal),
    istio: await listed('app=istiod'),
    installed: (await listed('app=clearmesh-control-plane')).some((each) => each.startsWith(`${systemNamespace}/`)),
    problems: await policyProblems(api, { ...defaultDeriveOptions, rootNamespace: systemNamespace }, signal),
  };
}

type Review = { readonly status?: { readonly allowed?: boolean } };

async function right(
  api: ApiClient,
  group: string,
  resource: string,
  namespace: string,
  signal: AbortSignal,
): Promise<{ readonly what: string; readonly allowed: boolean }> {
  const spec = { resourceAttributes: { group, resource, verb: 'create', namespace } };
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const answer = await api.call<Review>({ method: 'POST', path, body }, signal);
  return { what: resource, allowed: answer.kind === 'ok' && answer.body.status?.allowed === true };
}

type Groups = { readonly groups?: readonly { readonly versions?: readonly { readonly groupVersion?: string }[] }[] };

export async function groupVersions(api: ApiClient, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const answer = await api.call<Groups>({ path: '/apis' }, signal);
  if (answer.kind !== 'ok') throw apiError(answer, 'the API groups cannot be listed');
  return new Set(
    (answer.body.groups ?? []).flatMap(({ versions = [] }) => versions.flatMap(({ groupVersion }) => groupVersion ?? [])),
  );
}
