/** TCP sockets about to connect, in another network namespace and in the name of another address if asked. */
import { closeSync } from 'node:fs';
import { SyscallError } from './errno.ts';
import { AF_INET, AF_INET6, encodeSockaddr } from './inet-address.ts';
import type { Family } from './inet-address.ts';
import * as libc from './libc.ts';
import type { NetworkNamespace } from './netns.ts';
import * as options from './socket-options.ts';
import type { KeepAlive } from './socket-options.ts';

export type OutgoingOptions = {
  /** @default the process's own */
  readonly namespace?: NetworkNamespace;
  readonly family: Family;
  readonly mark?: number;
  /** Connect in the name of this address, of the same family (IP_TRANSPARENT, IP_FREEBIND). */
  readonly source?: { readonly ip: string; readonly transparent: true };
  /** @default 180 s, 180 s, 9 probes */
  readonly keepAlive?: KeepAlive | false;
};

export type OutgoingSocket = {
  /** Non-blocking, unconnected, owned by the caller. */
  readonly fd: number;
  /** Whether it will connect from {@link OutgoingOptions.source}. */
  readonly spoofed: boolean;
  /** Why it will not, although asked to. */
  readonly refusal?: SyscallError;
};

/** Creates the socket; a source that the kernel refuses is given up, with the reason in the result (l4-contract section 1). */
export function outgoingSocket(request: OutgoingOptions): OutgoingSocket {
  const fd = create(request);
  if (request.source === undefined) return { fd, spoofed: false };
  try {
    impersonate(fd, request.family, request.source.ip);
    return { fd, spoofed: true };
  } catch (error) {
    closeSync(fd);
    if (!(error instanceof SyscallError)) throw error;
    // A fresh socket, so that no half-applied option of the failed attempt stays.
    return { fd: create(request), spoofed: false, refusal: error };
  }
}

function create(request: OutgoingOptions): number {
  const domain = request.family === 6 ? AF_INET6 : AF_INET;
  const open = (): number => libc.check(libc.socket(domain, options.SOCK_STREAM | options.SOCK_FLAGS, 0), 'socket');
  // Only socket(2) looks at the thread's namespace: everything after it acts on the socket's own.
  const fd = request.namespace === undefined ? open() : request.namespace.run(open);
  return options.configured(fd, () => {
    if (request.mark !== undefined) options.setMark(fd, request.mark);
    options.setNoDelay(fd);
    if (request.keepAlive !== false) options.setKeepAlive(fd, request.keepAlive ?? {});
    return fd;
  });
}

function impersonate(fd: number, family: Family, ip: string): void {
  options.setTransparent(fd, family);
  options.setFreebind(fd, family);
  options.setLatePort(fd);
  const address = encodeSockaddr({ ip, port: 0 });
  libc.check(libc.bind(fd, address, address.length), 'bind', `${ip} as source`);
}
