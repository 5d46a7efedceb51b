/**
 * Reads of a socket into one buffer that is used again and again.
 *
 * Node makes a new buffer of 64 KiB for each read of a socket, however little came: thousands a second, which nothing but
 * a collection of the whole heap takes away (a tenth of a node proxy's CPU time, see `npm run bench -- engine`). For sockets
 * that it connects itself Node has `onread` instead; for those that are accepted or made over another socket it leaves that
 * out, and these are most of ours. This does what the option does. Should Node rename any of it, sockets are read as usual, and
 * `borrowed-reads.component.test.ts` says so.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

type Handle = { readonly useUserBuffer?: (buffer: Uint8Array) => void };
type Internals = { readonly _handle?: Handle | null } & Record<symbol, unknown>;

/** @param bytes by default as many as Node would read at once */
export function createReadBuffer(bytes: number = 64 * 1024): Buffer {
  return Buffer.allocUnsafeSlow(bytes);
}

/**
 * Gives what comes to `onBytes`, in `buffer`: it is good until that returns. What was read before goes to the listeners of
 * `data`, if there are any, and else to `onBytes`. False, and nothing done: this socket cannot.
 *
 * Sockets may share a buffer, since `onBytes` of one is never called within that of another: reads come from the loop only.
 */
export function readBorrowed(socket: Duplex, buffer: Buffer, onBytes: (bytes: Buffer) => void): boolean {
  const internals = socket as unknown as Internals;
  const handle = socket instanceof Socket ? internals._handle : undefined;
  const place = symbolOf(socket, 'kBuffer');
  const callback = symbolOf(socket, 'kBufferCb');
  if (typeof handle?.useUserBuffer !== 'function' || place === undefined || callback === undefined) return false;
  // What was read before; `read` tells those who listen for `data` by itself, and nobody is to hear it twice.
  const tells = socket.listenerCount('data') > 0;
  for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read() as Buffer | null)
    if (!tells) onBytes(bytes);
  internals[place] = buffer;
  internals[callback] = (count: number): boolean => {
    onBytes(buffer.subarray(0, count));
    return true;
  };
  handle.useUserBuffer(buffer);
  // Begins reading, and tells an end that came before.
  socket.read(0);
  return true;
}

/** Of any socket: Node has each of its symbols once. */
const symbols = new Map<string, symbol>();

function symbolOf(owner: object, description: string): symbol | undefined {
  const known = symbols.get(description);
  if (known !== undefined && known in owner) return known;
  const found = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description);
  if (found !== undefined) symbols.set(description, found);
  return found;
}
