/** The TCP connections of a pod, counted as the kernel lists them in /proc/net/tcp and its twin for IPv6. */
import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { HBONE_PORT, INBOUND_PORT, OUTBOUND_PORT } from '../redirect/pod-rules.ts';

export type PodConnections = {
  /** With somebody outside the pod, by whomever. */
  readonly outside: number;
  /** Accepted by the proxy. */
  readonly proxied: number;
};

// include/net/tcp_states.h: TIME_WAIT, CLOSE and LISTEN, in which nobody can be cut off any more.
const over = new Set(['06', '07', '0A']);
const proxyPorts = new Set([OUTBOUND_PORT, INBOUND_PORT, HBONE_PORT]);

/** The connections of a pod at this moment. */
export function podConnections(netns: NetworkNamespace): PodConnections {
  // Of the thread, which is what enters the namespace.
  return netns.run(() => countConnections(['tcp', 'tcp6'].map((name) => read(`/proc/thread-self/net/${name}`)).join('\n')));
}

/** Counts the lines of both files; headings are no connections. */
export function countConnections(text: string): PodConnections {
  let outside = 0;
  let proxied = 0;
  for (const line of text.split('\n')) {
    const [, local, localPort = '', remote, state = ''] =
      /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line) ?? [];
    if (local === undefined || over.has(state)) continue;
    // A call to an own address, loopback among them, has it at both ends.
    if (local !== remote) outside++;
    if (proxyPorts.has(Number.parseInt(localPort, 16))) proxied++;
  }
  return { outside, proxied };
}

/** Without IPv6 there is no second file. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
