/** Whether the node that a stream describes itself as may be the caller's (control-plane-contract section 2.1). */
import type { Node } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import type { Caller } from '../certify/caller.ts';

/** What a proxy describes itself as. */
export type ProxyKind = 'ztunnel' | 'waypoint';

const proxyKinds: readonly ProxyKind[] = ['ztunnel', 'waypoint'];

/** By the node id, `kind~IP~pod.namespace~domain`; `undefined` for kinds that are not served. */
export function proxyKindOf(node: Node | undefined): ProxyKind | undefined {
  const [type] = node?.id.split('~') ?? [];
  return proxyKinds.find((kind) => kind === type);
}

/** Why not, or `undefined` when it may. A proxy describes itself in its first request. */
export function nodeMismatch(node: Node | undefined, caller: Caller): string | undefined {
  if (node === undefined) return 'the first request describes no node';
  const [, , pod = ''] = node.id.split('~');
  if (proxyKindOf(node) === undefined)
    return `node id ${shown(node.id)} is not of the form ztunnel~IP~pod.namespace~domain, or waypoint~…`;
  const namespace = pod.slice(pod.lastIndexOf('.') + 1);
  const described = [namespace, textOf(node, 'NAMESPACE')].filter((text) => text !== undefined);
  const foreign = described.find((text) => text !== caller.namespace);
  if (foreign !== undefined) return `node namespace ${shown(foreign)} is not the token’s (${caller.namespace})`;
  const account = textOf(node, 'SERVICE_ACCOUNT');
  if (account !== undefined && account !== caller.serviceAccount)
    return `node account ${shown(account)} is not the token’s (${caller.serviceAccount})`;
  return undefined;
}

function textOf(node: Node, key: string): string | undefined {
  const value = node.metadata?.[key];
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
}

/** Quoted and short: the text comes from the network. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
