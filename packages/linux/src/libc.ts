/**
 * The C library as typed functions. Nothing outside this package sees a pointer or a koffi type.
 *
 * L1  every call here returns at once: sockets are non-blocking, so none runs on libuv's pool.
 * L2  a result of -1 becomes a {@link SyscallError} by {@link check}, before anything else can overwrite errno.
 * L3  only 64-bit little-endian Linux (x64, arm64): the layouts below are those of its ABI.
 */
import koffi from 'koffi';
import { SyscallError } from './errno.ts';

// The process itself: works with glibc and musl alike, whatever the library's file is called.
const libc = koffi.load(null);

export type IoVector = { readonly base: Uint8Array; readonly length: number };

/** struct msghdr; `controlLength` and `flags` come back changed from recvmsg. */
export type MessageHeader = {
  readonly name: null;
  readonly nameLength: number;
  readonly iov: readonly IoVector[];
  readonly iovLength: number;
  readonly control: Uint8Array | null;
  controlLength: number;
  flags: number;
};

// Without names: koffi keeps those per process and refuses a second definition, as when a bundle holds the module twice.
const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
const msghdr = koffi.pointer(
  koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    iov: koffi.pointer(iovec),
    iovLength: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  }),
);

export const socket: (domain: number, type: number, protocol: number) => number = libc.func('int socket(int, int, int)');
export const bind: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  'int bind(int, const void *, uint32_t)',
);
export const listen: (fd: number, backlog: number) => number = libc.func('int listen(int, int)');
export const connect: (fd: number, address: Uint8Array, length: number) => number = libc.func(
  'int connect(int, const void *, uint32_t)',
);
export const accept4: (fd: number, address: null, length: null, flags: number) => number = libc.func(
  'int accept4(int, void *, void *, int)',
);
export const setsockopt: (fd: number, level: number, name: number, value: Int32Array, length: number) => number = libc.func(
  'int setsockopt(int, int, int, const int *, uint32_t)',
);
/** struct sock_fprog: a program of classic BPF. */
export type SocketProgram = { readonly length: number; readonly filter: Uint8Array };

const sockFprog = koffi.struct({ length: 'uint16_t', filter: 'void *' });

/** setsockopt with a program. */
export const setsockoptProgram: (fd: number, level: number, name: number, program: SocketProgram, length: number) => number =
  libc.func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(sockFprog), 'uint32_t']);
export const getsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: [number]) => number = libc.func(
  'int getsockopt(int, int, int, _Out_ void *, _Inout_ uint32_t *)',
);
export const setns: (fd: number, type: number) => number = libc.func('int setns(int, int)');
export const unshare: (flags: number) => number = libc.func('int unshare(int)');
export const sendmsg: (fd: number, message: MessageHeader, flags: number) => number = libc.func('sendmsg', 'intptr_t', [
  'int',
  msghdr,
  'int',
]);
export const recvmsg: (fd: number, message: MessageHeader, flags: number) => number = libc.func('recvmsg', 'intptr_t', [
  'int',
  koffi.inout(msghdr),
  'int',
]);
export const inetPton: (family: number, text: string, bytes: Uint8Array) => number = libc.func('inet_pton', 'int', [
  'int',
  'str',
  koffi.out('void *'),
]);
export const abort: () => void = libc.func('void abort()');

const fcntlVariadic: (fd: number, command: number, type: 'int', value: number) => number = libc.func('int fcntl(int, int, ...)');
const ioctlVariadic: (fd: number, request: number) => number = libc.func('int ioctl(int, unsigned long, ...)');

/** fcntl(2) with a number. */
export function fcntl(fd: number, command: number, value: number): number {
  return fcntlVariadic(fd, command, 'int', value);
}

/** ioctl(2) without an argument. */
export function ioctl(fd: number, request: number): number {
  return ioctlVariadic(fd, request);
}

/** The errno of the call just made. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Passes a result through, or throws what the kernel said about it. */
export function check(result: number, syscall: string, detail = ''): number {
  if (result < 0) throw new SyscallError(syscall, koffi.errno(), detail);
  return result;
}
