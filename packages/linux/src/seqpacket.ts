/**
 * SOCK_SEQPACKET over Unix sockets: ordered packets with their borders, and descriptors beside them. Node has neither.
 * Everything is non-blocking; waiting happens in {@link Readiness}.
 */
import { chmodSync, closeSync, lstatSync, rmSync } from 'node:fs';
import { SyscallError } from './errno.ts';
import * as libc from './libc.ts';
import { receivePacket, sendPacket } from './packet.ts';
import type { ReceivedPacket } from './packet.ts';
import { Readiness } from './readiness.ts';
import { SOCK_FLAGS, SOCK_SEQPACKET, configured } from './socket-options.ts';

export type { ReceivedPacket } from './packet.ts';

export type SeqpacketOptions = {
  /** Longest packet received whole, bytes; a longer one arrives as `truncated`. @default 1024 */
  readonly maxPacketBytes?: number;
};

const AF_UNIX = 1;
const ENAMETOOLONG = 36;
const EAGAIN = 11;
// struct sockaddr_un: family, then at most 107 bytes of path and a zero.
const MAX_PATH_BYTES = 107;
const DEFAULT_MAX_PACKET_BYTES = 1024;

/** One connection; either side may send and receive. */
export class SeqpacketConnection implements AsyncDisposable {
  readonly #fd: number;
  readonly #maxPacketBytes: number;
  readonly #readiness: Readiness;

  constructor(options: { readonly fd: number } & SeqpacketOptions) {
    this.#fd = options.fd;
    this.#maxPacketBytes = options.maxPacketBytes ?? DEFAULT_MAX_PACKET_BYTES;
    this.#readiness = new Readiness(options.fd);
  }

  /** The descriptor, owned by this object; -1 once disposed of. */
  get fd(): number {
    return this.#readiness.closed ? -1 : this.#fd;
  }

  /** Hands one packet to the kernel, with a copy of a descriptor if given; throws EAGAIN rather than wait for a peer that does not read. */
  send(bytes: Uint8Array, fd?: number): void {
    // -1 is EBADF; the number itself may belong to another file by now.
    sendPacket(this.fd, bytes, fd);
  }

  /** The next packet; `undefined` when the peer ended or this was disposed of. One receive at a time. */
  async receive(signal: AbortSignal): Promise<ReceivedPacket | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#readiness.closed) return undefined;
      const packet = receivePacket(this.#fd, this.#maxPacketBytes);
      if (packet === 'end') return undefined;
      if (packet !== 'empty') return packet;
      await this.#readiness.wait(signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#readiness.closed) return;
    this.#readiness[Symbol.dispose]();
    closeSync(this.#fd);
  }
}

/** A listening path; the file is removed again on dispose, unless a successor has put its own there. */
export class SeqpacketListener implements AsyncDisposable {
  readonly path: string;
  readonly #fd: number;
  readonly #options: SeqpacketOptions;
  readonly #readiness: Readiness;
  readonly #inode: bigint;

  constructor(options: { readonly fd: number; readonly path: string } & SeqpacketOptions) {
    this.path = options.path;
    this.#fd = options.fd;
    this.#options = options;
    this.#readiness = new Readiness(options.fd);
    this.#inode = lstatSync(options.path, { bigint: true }).ino;
  }

  /** The next connection; `undefined` once disposed of. One accept at a time. */
  async accept(signal: AbortSignal): Promise<SeqpacketConnection | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#readiness.closed) return undefined;
      const fd = libc.accept4(this.#fd, null, null, SOCK_FLAGS);
      if (fd >= 0) return new SeqpacketConnection({ ...this.#options, fd });
      const errno = libc.lastErrno();
      if (errno !== EAGAIN) throw new SyscallError('accept4', errno, this.path);
      await this.#readiness.wait(signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#readiness.closed) return;
    this.#readiness[Symbol.dispose]();
    closeSync(this.#fd);
    if (inodeOf(this.path) === this.#inode) rmSync(this.path, { force: true });
  }
}

/** Listens at a path that only the owner may dial (mode 0600); a socket file left by a dead process is replaced. */
export function listenSeqpacket(
  path: string,
  options: SeqpacketOptions & { /** @default 16 */ readonly backlog?: number } = {},
): SeqpacketListener {
  const address = encodePath(path);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) rmSync(path);
  return configured(openSocket(), (fd) => {
    libc.check(libc.bind(fd, address, address.length), 'bind', path);
    // Before listen(2): until then nobody can connect, whatever the umask gave the file.
    chmodSync(path, 0o600);
    libc.check(libc.listen(fd, options.backlog ?? 16), 'listen', path);
    return new SeqpacketListener({ ...options, fd, path });
  });
}

/** Dials a path; the kernel answers at once (ENOENT, ECONNREFUSED, EAGAIN when the listener's backlog is full). */
export async function connectSeqpacket(
  path: string,
  signal: AbortSignal,
  options: SeqpacketOptions = {},
): Promise<SeqpacketConnection> {
  signal.throwIfAborted();
  const address = encodePath(path);
  return configured(openSocket(), (fd) => {
    libc.check(libc.connect(fd, address, address.length), 'connect', path);
    return new SeqpacketConnection({ ...options, fd });
  });
}

function openSocket(): number {
  return libc.check(libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_FLAGS, 0), 'socket');
}

function encodePath(path: string): Uint8Array {
  const text = Buffer.from(path);
  if (text.length > MAX_PATH_BYTES) throw new SyscallError('bind', ENAMETOOLONG, `${path}: at most ${MAX_PATH_BYTES} bytes`);
  const address = Buffer.alloc(2 + text.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  text.copy(address, 2);
  return address;
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
