/** The TCP connections of a pod, as the kernel lists them in /proc/net/tcp and its twin for IPv6. */
import { readFileSync } from 'node:fs';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { HBONE_PORT, INBOUND_PORT, OUTBOUND_PORT } from '../redirect/pod-rules.ts';

export type PodConnections = {
  /** With somebody outside the pod, by whomever: both ends in the kernel's words. */
  readonly outside: readonly string[];
  /** Those of them that somebody outside has opened, and that did not come through the proxy. */
  readonly direct: readonly string[];
  /** How many the proxy has accepted. */
  readonly proxied: number;
};

type Socket = { readonly local: string; readonly localPort: number; readonly remote: string; readonly state: string };

// include/net/tcp_states.h: TIME_WAIT, CLOSE and LISTEN, in which nobody can be cut off any more.
const over = new Set(['06', '07', '0A']);
const listening = '0A';
const proxyPorts = new Set([OUTBOUND_PORT, INBOUND_PORT, HBONE_PORT]);

/** The connections of a pod at this moment. */
export function podConnections(netns: NetworkNamespace): PodConnections {
  // Of the thread, which is what enters the namespace.
  return netns.run(() => readConnections(['tcp', 'tcp6'].map((name) => read(`/proc/thread-self/net/${name}`)).join('\n')));
}

/** From the lines of both files; headings are no connections. */
export function readConnections(text: string): PodConnections {
  const all = text.split('\n').flatMap(readSocket);
  const servedPorts = new Set(all.filter(({ state }) => state === listening).map(({ localPort }) => localPort));
  const open = all.filter(({ state }) => !over.has(state));
  // What the proxy delivers has both its ends in the pod, though the client's address is one of them.
  const ends = new Set(open.map(nameOf));
  // A call to an own address, loopback among them, has it at both ends.
  const outside = open.filter(({ local, remote }) => addressOf(local) !== addressOf(remote));
  const isDirect = ({ local, localPort, remote }: Socket): boolean =>
    servedPorts.has(localPort) && !proxyPorts.has(localPort) && !ends.has(`${remote} ${local}`);
  return {
    outside: outside.map(nameOf),
    direct: outside.filter(isDirect).map(nameOf),
    proxied: open.filter(({ localPort }) => proxyPorts.has(localPort)).length,
  };
}

function readSocket(line: string): readonly Socket[] {
  const [, local, port = '', remote, state] =
    /^\s*\d+: ([0-9A-F]+:([0-9A-F]{4})) ([0-9A-F]+:[0-9A-F]{4}) ([0-9A-F]{2}) /.exec(line) ?? [];
  if (local === undefined || remote === undefined || state === undefined) return [];
  return [{ local: plain(local), localPort: Number.parseInt(port, 16), remote: plain(remote), state }];
}

/** An IPv4 address in IPv6's clothes is the same address. */
function plain(end: string): string {
  return end.replace(/^0{16}FFFF0000/, '');
}

function nameOf({ local, remote }: Socket): string {
  return `${local} ${remote}`;
}

function addressOf(end: string): string {
  return end.slice(0, -5);
}

/** Without IPv6 there is no second file. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
