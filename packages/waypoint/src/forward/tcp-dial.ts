/** A plain TCP connection from the waypoint's own namespace, for tunnels and for endpoints outside the mesh. */
import net from 'node:net';
import type { SocketAddress } from '@clearmesh/shared/model/ip-address';

/** Resolves once connected; rejects with the reason, the signal's included. */
export function dialTcp({ ip, port }: SocketAddress, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = net.connect({ host: ip, port, noDelay: true });
    const recvAbort = (): void => void socket.destroy(asError(signal.reason));
    const recvError = (error: Error): void => {
      signal.removeEventListener('abort', recvAbort);
      reject(error);
    };
    signal.addEventListener('abort', recvAbort, { once: true });
    socket.once('error', recvError);
    socket.once('connect', () => {
      signal.removeEventListener('abort', recvAbort);
      socket.off('error', recvError);
      // Whoever takes it over listens for what comes; between the two nothing may throw.
      socket.on('error', ignore);
      resolve(socket);
    });
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function ignore(): void {}
