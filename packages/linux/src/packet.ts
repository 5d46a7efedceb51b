/** One packet of a Unix socket with the descriptors that travel beside it (SCM_RIGHTS, unix(7)). */
import { closeSync } from 'node:fs';
import { SyscallError } from './errno.ts';
import * as libc from './libc.ts';
import type { MessageHeader } from './libc.ts';
import { SOL_SOCKET } from './socket-options.ts';

export type ReceivedPacket = {
  readonly bytes: Uint8Array;
  /** Descriptors that came with it, close-on-exec, now the receiver's to close. */
  readonly fds: readonly number[];
  /** The packet was longer than allowed, or had more descriptors: `bytes` is only its start, and no descriptor was kept. */
  readonly truncated: boolean;
};

const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 0x08;
const MSG_TRUNC = 0x20;
const EAGAIN = 11;
const ECONNRESET = 104;

// struct cmsghdr { size_t len; int level; int type; } and then the data, padded to 8 bytes (L3).
const CMSG_HEADER_BYTES = 16;
// More than one is already a fault of the peer; room for some lets the message say how many there were.
const MAX_FDS = 8;

/** Sends one whole packet at once; a full queue is EAGAIN, a peer that went away EPIPE. */
export function sendPacket(fd: number, bytes: Uint8Array, passed?: number): void {
  const control = passed === undefined ? null : rightsOf(passed);
  libc.check(libc.sendmsg(fd, headerOf(bytes, control), MSG_DONTWAIT | MSG_NOSIGNAL), 'sendmsg');
}

/** Receives one packet; `'empty'` when there is none yet, `'end'` when the peer is gone (an empty packet says the same). */
export function receivePacket(fd: number, maxBytes: number): ReceivedPacket | 'empty' | 'end' {
  const bytes = Buffer.alloc(maxBytes);
  const control = Buffer.alloc(CMSG_HEADER_BYTES + MAX_FDS * 4);
  const header = headerOf(bytes, control);
  const length = libc.recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) return afterFailure(libc.lastErrno());
  const fds = descriptorsIn(control.subarray(0, header.controlLength));
  const truncated = (header.flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0;
  if (!truncated && length > 0) return { bytes: bytes.subarray(0, length), fds, truncated };
  for (const each of fds) closeSync(each);
  return length === 0 && !truncated ? 'end' : { bytes: bytes.subarray(0, length), fds: [], truncated };
}

function afterFailure(errno: number): 'empty' | 'end' {
  if (errno === EAGAIN) return 'empty';
  // The peer closed with packets of ours unread: gone all the same.
  if (errno === ECONNRESET) return 'end';
  throw new SyscallError('recvmsg', errno);
}

function headerOf(bytes: Uint8Array, control: Uint8Array | null): MessageHeader {
  const controlLength = control?.length ?? 0;
  return {
    name: null,
    nameLength: 0,
    iov: [{ base: bytes, length: bytes.length }],
    iovLength: 1,
    control,
    controlLength,
    flags: 0,
  };
}

function rightsOf(fd: number): Uint8Array {
  const control = Buffer.alloc(CMSG_HEADER_BYTES + 8);
  control.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + 4), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, CMSG_HEADER_BYTES);
  return control;
}

function descriptorsIn(control: Buffer): number[] {
  const fds: number[] = [];
  let offset = 0;
  while (offset + CMSG_HEADER_BYTES <= control.length) {
    const length = Number(control.readBigUInt64LE(offset));
    if (length < CMSG_HEADER_BYTES || offset + length > control.length) break;
    const isRights = control.readInt32LE(offset + 8) === SOL_SOCKET && control.readInt32LE(offset + 12) === SCM_RIGHTS;
    if (isRights) fds.push(...numbersIn(control.subarray(offset + CMSG_HEADER_BYTES, offset + length)));
    offset += Math.ceil(length / 8) * 8;
  }
  return fds;
}

function numbersIn(data: Buffer): number[] {
  return Array.from({ length: data.length >> 2 }, (_, index) => data.readInt32LE(index * 4));
}
