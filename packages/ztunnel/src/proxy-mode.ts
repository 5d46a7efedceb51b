/**
 * Whom a proxy serves (l4-contract section 1): every pod of its node, and itself where it knows its own name, or one workload
 * in the network namespace that the process runs in.
 */
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';

export type ProxyMode =
  /** `self`: its own pod, if it is to be reached through a tunnel. */
  { readonly kind: 'shared'; readonly self?: PodName } | { readonly kind: 'dedicated'; readonly workload: PodName };

const remedy = 'set it to NAMESPACE/NAME/SERVICEACCOUNT of the workload that is served';

export function readProxyMode(reader: EnvironmentReader): ProxyMode {
  const kind = reader.oneOf('PROXY_MODE', ['shared', 'dedicated'], 'shared');
  if (kind === 'dedicated') return { kind, workload: readWorkload(reader) };
  const [namespace, name, serviceAccount] = ['POD_NAMESPACE', 'POD_NAME', 'SERVICE_ACCOUNT'].map((each) => reader.text(each, ''));
  return namespace && name && serviceAccount ? { kind, self: { namespace, name, serviceAccount } } : { kind };
}

/** Each part becomes part of an identity, or of a node id: RFC 1123 names, as Kubernetes has them. */
function readWorkload(reader: EnvironmentReader): PodName {
  const parts = reader.text('PROXY_WORKLOAD_INFO', '').split('/');
  const [namespace = '', name = '', serviceAccount = ''] = parts;
  const isNamed = parts.length === 3 && parts.every((part) => part.length <= 253 && /^[a-z\d](?:[-a-z\d.]*[a-z\d])?$/.test(part));
  if (!isNamed) reader.reject('PROXY_WORKLOAD_INFO', `${remedy}, which PROXY_MODE=dedicated needs`);
  return { namespace, name, serviceAccount };
}
