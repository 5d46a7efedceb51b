/** Bound UDP sockets, in another network namespace if asked. Node takes one over with `dgram.Socket.bind({ fd })`. */
import { AF_INET, AF_INET6, encodeSockaddr, familyOf } from './inet-address.ts';
import * as libc from './libc.ts';
import type { NetworkNamespace } from './netns.ts';
import * as options from './socket-options.ts';

export type DatagramOptions = {
  /** @default the process's own */
  readonly namespace?: NetworkNamespace;
  /** IPv4, or IPv6 and that alone. */
  readonly ip: string;
  /** 0 lets the kernel choose one at random. */
  readonly port: number;
  readonly mark?: number;
  /** @default false */
  readonly reusePort?: boolean;
};

export type DatagramSocket = {
  /** Non-blocking, owned by the caller until Node takes it. */
  readonly fd: number;
  /** The other socket of its port, if there is one, gets what arrives from now on (`reusePort`). False where the kernel cannot. */
  readonly yieldPort: () => boolean;
};

/** Creates a bound socket; throws {@link SyscallError}. */
export function datagramSocket(request: DatagramOptions): DatagramSocket {
  const family = familyOf(request.ip);
  const create = (): number =>
    libc.check(libc.socket(family === 6 ? AF_INET6 : AF_INET, options.SOCK_DGRAM | options.SOCK_FLAGS, 0), 'socket');
  // Only socket(2) looks at the thread's namespace: everything after it acts on the socket's own.
  const fd = request.namespace === undefined ? create() : request.namespace.run(create);
  return options.configured(fd, () => {
    if (request.reusePort === true) options.setReusePort(fd);
    if (family === 6) options.setV6Only(fd, true);
    if (request.mark !== undefined) options.setMark(fd, request.mark);
    const address = encodeSockaddr(request);
    libc.check(libc.bind(fd, address, address.length), 'bind', `${request.ip} UDP port ${request.port}`);
    return { fd, yieldPort: () => request.reusePort === true && options.yieldPort(fd) };
  });
}
