/** Listening TCP sockets, in another network namespace if asked. */
import { SyscallError } from './errno.ts';
import { AF_INET, AF_INET6, encodeSockaddr, familyOf } from './inet-address.ts';
import type { Family } from './inet-address.ts';
import * as libc from './libc.ts';
import type { NetworkNamespace } from './netns.ts';
import * as options from './socket-options.ts';
import type { KeepAlive } from './socket-options.ts';

export type ListenOptions = {
  /** @default the process's own */
  readonly namespace?: NetworkNamespace;
  /** `::` takes IPv4 as well, and becomes `0.0.0.0` where the kernel has no IPv6. */
  readonly ip: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** SO_MARK of the listener; accepted sockets inherit it. */
  readonly mark?: number;
  /** IP_TRANSPARENT: `best-effort` tells in the result whether it worked, `required` throws. @default 'off' */
  readonly transparent?: 'required' | 'best-effort' | 'off';
  /** @default false */
  readonly reusePort?: boolean;
  /** Accepted sockets inherit it from the listener, which costs nothing per connection. @default false */
  readonly keepAlive?: KeepAlive | false;
  /** Give the same number to `server.listen({ fd, backlog })`: Node calls listen(2) again. @default 128 */
  readonly backlog?: number;
};

export type ListeningSocket = {
  /** Non-blocking, owned by the caller until `server.listen({ fd })` takes it. */
  readonly fd: number;
  /** Whether IP_TRANSPARENT is set, thus whether connections may be made in the name of another address. */
  readonly transparent: boolean;
  /**
   * Before it is closed: the other listener of its port, if there is one, gets new connections from now on (`reusePort`).
   * False where the kernel cannot.
   */
  readonly yieldPort: () => boolean;
};

const UNSUPPORTED = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/** Creates a bound, listening socket with TCP_NODELAY. */
export function listenSocket(request: ListenOptions): ListeningSocket {
  try {
    return listenOn(request);
  } catch (error) {
    // A kernel without IPv6 (ipv6.disable=1) knows no such family or address: the IPv4 wildcard is then all there is.
    const isWildcard = request.ip === '::' && error instanceof SyscallError && UNSUPPORTED.has(error.code);
    if (isWildcard) return listenOn({ ...request, ip: '0.0.0.0' });
    throw error;
  }
}

function listenOn(request: ListenOptions): ListeningSocket {
  const family = familyOf(request.ip);
  const create = (): number =>
    libc.check(libc.socket(family === 6 ? AF_INET6 : AF_INET, options.SOCK_STREAM | options.SOCK_FLAGS, 0), 'socket');
  const fd = request.namespace === undefined ? create() : request.namespace.run(create);
  return options.configured(fd, () => {
    options.setReuseAddress(fd);
    if (request.reusePort === true) options.setReusePort(fd);
    if (family === 6) options.setV6Only(fd, request.ip !== '::');
    if (request.mark !== undefined) options.setMark(fd, request.mark);
    options.setNoDelay(fd);
    if (request.keepAlive) options.setKeepAlive(fd, request.keepAlive);
    const transparent = makeTransparent(fd, family, request.transparent ?? 'off');
    const address = encodeSockaddr(request);
    libc.check(libc.bind(fd, address, address.length), 'bind', `${request.ip} port ${request.port}`);
    libc.check(libc.listen(fd, request.backlog ?? 128), 'listen', `${request.ip} port ${request.port}`);
    return { fd, transparent, yieldPort: () => request.reusePort === true && options.yieldPort(fd) };
  });
}

function makeTransparent(fd: number, family: Family, wish: 'required' | 'best-effort' | 'off'): boolean {
  if (wish === 'off') return false;
  try {
    options.setTransparent(fd, family);
    return true;
  } catch (error) {
    if (wish === 'required') throw error;
    return false;
  }
}
