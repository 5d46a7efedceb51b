/** Socket options by name; the numbers are those of asm-generic (x64, arm64). Facts: l4-contract section 1. */
import { closeSync } from 'node:fs';
import type { Family } from './inet-address.ts';
import * as libc from './libc.ts';

export const SOL_IP = 0;
export const SOL_IPV6 = 41;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
/** SOCK_NONBLOCK | SOCK_CLOEXEC: nothing blocks the event loop, nothing leaks into child processes. */
export const SOCK_FLAGS = 0o2004000;

export const SOL_SOCKET = 1;
const SOL_TCP = 6;

/** When a silent peer is given up. */
export type KeepAlive = {
  /** Probe a silent peer (SO_KEEPALIVE). @default true */
  readonly probing?: boolean;
  /** Silence before the first probe, seconds. @default 180 */
  readonly idleSeconds?: number;
  /** Between probes, seconds. @default 180 */
  readonly intervalSeconds?: number;
  /** Unanswered probes until the connection is dead. @default 9 */
  readonly probes?: number;
  /** Also bound unacknowledged data (TCP_USER_TIMEOUT) by idle + interval × probes. @default false */
  readonly userTimeout?: boolean;
};

/** Marks every packet of the socket; the redirection exempts the proxy by it. Needs CAP_NET_ADMIN. */
export function setMark(fd: number, mark: number): void {
  setOption(fd, SOL_SOCKET, 36, mark, `SO_MARK ${mark}`);
}

/** Lets an old and a new process listen on one port, so that an upgrade refuses no connection. */
export function setReusePort(fd: number): void {
  setOption(fd, SOL_SOCKET, 15, 1, 'SO_REUSEPORT');
}

/**
 * Of the listeners that share this one's port (SO_REUSEPORT), the second oldest gets new connections from now on; with no
 * other everything stays as it is (SO_ATTACH_REUSEPORT_CBPF; the program is `return 1`, and the kernel falls back to its own
 * choice where there is no listener 1). For a listener that will close: what waits in its queue then would be reset, so that
 * nothing new must get there while it accepts what has. False where the kernel cannot (before 4.6).
 */
export function yieldPort(fd: number): boolean {
  // struct sock_filter: code BPF_RET | BPF_K, jt, jf, k.
  const filter = Buffer.from([0x06, 0, 0, 0, 1, 0, 0, 0]);
  return libc.setsockoptProgram(fd, SOL_SOCKET, 51, { length: 1, filter }, 16) === 0;
}

/** A restarted listener may bind while old connections are in TIME_WAIT, as Node's own listeners do. */
export function setReuseAddress(fd: number): void {
  setOption(fd, SOL_SOCKET, 2, 1, 'SO_REUSEADDR');
}

export function setNoDelay(fd: number): void {
  setOption(fd, SOL_TCP, 1, 1, 'TCP_NODELAY');
}

/** Lets the socket use addresses that are not the machine's own. Needs CAP_NET_ADMIN or CAP_NET_RAW. */
export function setTransparent(fd: number, family: Family): void {
  if (family === 4) setOption(fd, SOL_IP, 19, 1, 'IP_TRANSPARENT');
  else setOption(fd, SOL_IPV6, 75, 1, 'IPV6_TRANSPARENT');
}

/** Lets the socket bind an address that no interface has (yet). */
export function setFreebind(fd: number, family: Family): void {
  if (family === 4) setOption(fd, SOL_IP, 15, 1, 'IP_FREEBIND');
  else setOption(fd, SOL_IPV6, 78, 1, 'IPV6_FREEBIND');
}

/**
 * Chooses the local port at connect time, by the whole four-tuple (IP_BIND_ADDRESS_NO_PORT, IPv6 too). Chosen at bind, a
 * port serves one destination only, and some 28,000 connections of one client would use all of them up.
 */
export function setLatePort(fd: number): void {
  setOption(fd, SOL_IP, 24, 1, 'IP_BIND_ADDRESS_NO_PORT');
}

/** False makes an IPv6 wildcard listener take IPv4 too, whatever net.ipv6.bindv6only says. */
export function setV6Only(fd: number, only: boolean): void {
  setOption(fd, SOL_IPV6, 26, only ? 1 : 0, 'IPV6_V6ONLY');
}

export function setKeepAlive(fd: number, keepAlive: KeepAlive): void {
  const { probing = true, idleSeconds = 180, intervalSeconds = 180, probes = 9, userTimeout = false } = keepAlive;
  if (probing) {
    setOption(fd, SOL_SOCKET, 9, 1, 'SO_KEEPALIVE');
    setOption(fd, SOL_TCP, 4, idleSeconds, 'TCP_KEEPIDLE');
    setOption(fd, SOL_TCP, 5, intervalSeconds, 'TCP_KEEPINTVL');
    setOption(fd, SOL_TCP, 6, probes, 'TCP_KEEPCNT');
  }
  if (userTimeout) setOption(fd, SOL_TCP, 18, (idleSeconds + intervalSeconds * probes) * 1000, 'TCP_USER_TIMEOUT');
}

/** Bytes of an option, at most `length`; `undefined` when the kernel refuses. */
export function readOption(fd: number, level: number, name: number, length: number): Uint8Array | undefined {
  const value = Buffer.alloc(length);
  const size: [number] = [length];
  return libc.getsockopt(fd, level, name, value, size) < 0 ? undefined : value.subarray(0, size[0]);
}

/** Runs `configure` on a new descriptor; it is closed when that throws. */
export function configured<T>(fd: number, configure: (fd: number) => T): T {
  try {
    return configure(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function setOption(fd: number, level: number, name: number, value: number, detail: string): void {
  libc.check(libc.setsockopt(fd, level, name, Int32Array.of(value), 4), 'setsockopt', detail);
}
