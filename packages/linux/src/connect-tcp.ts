/** From an outgoing socket to a connected `net.Socket`. */
import { closeSync } from 'node:fs';
import net from 'node:net';
import type { SyscallError } from './errno.ts';
import { familyOf } from './inet-address.ts';
import type { InetAddress } from './inet-address.ts';
import { outgoingSocket } from './outgoing-socket.ts';
import type { OutgoingOptions } from './outgoing-socket.ts';

export type ConnectOptions = Omit<OutgoingOptions, 'family'> & {
  readonly target: InetAddress;
  /** Keep writing after the peer ended its half. @default true */
  readonly allowHalfOpen?: boolean;
  /** Told when the connection is made from an own address, although a source was asked for. */
  readonly onUnspoofed?: (cause: SyscallError) => void;
};

/**
 * Connects, or rejects with Node's system error or the signal's reason; the deadline is the signal's.
 * A source equal to the target is left out: such a connection would seem to come from itself (l4-contract section 1).
 */
export function connectTcp(request: ConnectOptions, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = openSocket(request);
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('connect', onConnect);
      socket.removeListener('error', onError);
    };
    const onAbort = (): void => {
      settle();
      socket.on('error', () => {}).destroy();
      reject(signal.reason);
    };
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', onConnect).once('error', onError);
    // In the same turn as the constructor: that already asked libuv to read, which an unconnected socket answers with a hang-up.
    socket.connect({ host: request.target.ip, port: request.target.port });
  });
}

function openSocket(request: ConnectOptions): net.Socket {
  const { target, source, allowHalfOpen = true, onUnspoofed, ...rest } = request;
  const impersonated = source !== undefined && source.ip !== target.ip ? { source } : {};
  const { fd, refusal } = outgoingSocket({ ...rest, ...impersonated, family: familyOf(target.ip) });
  if (refusal !== undefined) onUnspoofed?.(refusal);
  try {
    return new net.Socket({ fd, allowHalfOpen });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
