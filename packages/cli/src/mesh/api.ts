/** Questions to an API server, whose refusals are told with what to do about them. */
import type { ApiAnswer, ApiFailure } from '@clearmesh/control-plane/kubernetes/api-answer';
import { answerText } from '@clearmesh/control-plane/kubernetes/api-answer';
import { listAll } from '@clearmesh/control-plane/kubernetes/list';
import type { ApiClient } from '@clearmesh/control-plane/kubernetes/api-client';
import type { ApiObject, Resource } from '@clearmesh/control-plane/kubernetes/resource';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';

/** `undefined` where there is no such object, or no such kind. */
export function found<T>(answer: ApiAnswer<T>, what: string): T | undefined {
  if (answer.kind === 'ok') return answer.body;
  if (answer.kind === 'refused' && answer.status === 404) return undefined;
  throw apiError(answer, what);
}

/** What the failure means to whoever asked. */
export function apiError(failure: ApiFailure, what: string): MeshError {
  const hint =
    failure.kind === 'unreachable'
      ? 'See whether the cluster runs and is reached from here: kubectl --kubeconfig FILE --context NAME version.'
      : failure.status === 401
        ? 'Log in again: the credentials of the kubeconfig are not, or no longer, accepted.'
        : failure.status === 403
          ? 'Ask for this right, or use a context of somebody who has it; docs/CLI.md has a ClusterRole that is enough to look at a mesh.'
          : 'Read what the server says; kubectl would be told the same.';
  return new MeshError('MESH-KUBE-001', { message: `${what}: ${answerText(failure)}`, hint });
}

/** Every object of a kind; `undefined` where the cluster does not have it. */
export async function listOf<T>(
  api: ApiClient,
  resource: Resource,
  read: (object: ApiObject) => T,
  signal: AbortSignal,
  selection: { readonly namespace?: string; readonly labelSelector?: string } = {},
): Promise<readonly T[] | undefined> {
  const listing = await listAll(api, { resource, ...selection }, read, signal);
  if (listing.kind === 'listed') return listing.items;
  if (listing.kind === 'refused' && listing.status === 404) return undefined;
  throw apiError(listing, `${resource.plural} cannot be listed`);
}
