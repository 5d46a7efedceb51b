/**
 * The only file that touches `socket._handle.fd`. It is not public API of Node, and nothing public replaces it: an accepted
 * socket's original destination can be asked by descriptor only. Its test fails when Node changes it.
 */
import type net from 'node:net';

type WithHandle = { readonly _handle?: { readonly fd?: unknown } | null };

/** The kernel descriptor, or `undefined` once the socket is closed. The socket keeps owning it. */
export function descriptorOf(socket: net.Socket): number | undefined {
  const { _handle: handle } = socket as unknown as WithHandle;
  if (handle === null || handle === undefined) return undefined;
  if (typeof handle.fd !== 'number') {
    throw new TypeError(`Node ${process.version} keeps no descriptor at socket._handle.fd: adapt packages/linux to it`);
  }
  return handle.fd < 0 ? undefined : handle.fd;
}
