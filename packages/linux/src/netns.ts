/**
 * Network namespaces of pods. A socket belongs for life to the namespace its thread was in when it was created, so the
 * thread enters a pod's namespace for exactly one synchronous task and is back before the event loop runs again.
 *
 *   home ── run(task): setns(pod) ──▶ inside, task ── setns(back) ──▶ home
 *
 * N1  after `run`, whether the task returned or threw, the thread is in the namespace it came from.
 * N2  if the kernel refuses the way back, the process aborts: it must never serve one pod's traffic with sockets of another.
 * N3  where the thread is already, nothing is entered: setns needs CAP_SYS_ADMIN even for that.
 */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { SyscallError } from './errno.ts';
import * as libc from './libc.ts';

const CLONE_NEWNET = 0x40000000;
const NS_GET_NSTYPE = 0xb703;
const F_DUPFD_CLOEXEC = 1030;
const EINVAL = 22;

// `thread-self`, not `self`: in a worker the process's main thread may be elsewhere.
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

type Place = Pick<NetworkNamespace, 'fd' | 'inode' | 'device'>;

/**
 * Where this thread is; mirrors a fact the kernel keeps per thread (each worker loads its own copy of the module). Kept open
 * for good: opening it anew costs 7 µs for each outgoing connection, the two setns only 4 µs.
 */
let whereabouts: Place | undefined;

export class NetworkNamespace implements Disposable {
  /** Identifies the namespace together with {@link device}; the kernel reuses it after the namespace is gone. */
  readonly inode: bigint;
  readonly device: bigint;
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
    try {
      // A peer may pass any descriptor: only a network namespace answers this with its own type.
      const type = libc.check(libc.ioctl(fd, NS_GET_NSTYPE), 'ioctl', 'NS_GET_NSTYPE: the descriptor is no namespace');
      if (type !== CLONE_NEWNET) throw new SyscallError('ioctl', EINVAL, 'NS_GET_NSTYPE: not a network namespace');
      const { ino, dev } = fstatSync(fd, { bigint: true });
      this.inode = ino;
      this.device = dev;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Opens a namespace file such as `/run/netns/pod` or `/proc/42/ns/net`. */
  static open(path: string): NetworkNamespace {
    return new NetworkNamespace(openSync(path, 'r'));
  }

  /** Takes ownership of a descriptor, which is closed even when it turns out not to be a network namespace. */
  static fromFd(fd: number): NetworkNamespace {
    return new NetworkNamespace(fd);
  }

  /** The namespace this thread is in. */
  static current(): NetworkNamespace {
    return NetworkNamespace.open(OWN_NAMESPACE);
  }

  /** Throws when this process may not enter network namespaces, by entering the one it is in (N3 spares it that otherwise). */
  static proveEntry(): void {
    using own = NetworkNamespace.current();
    libc.check(libc.setns(own.fd, CLONE_NEWNET), 'setns', 'into the network namespace of the process');
  }

  /** A new one with nothing in it; it goes when the last descriptor does (N1, N2). */
  static create(): NetworkNamespace {
    const back = (whereabouts ??= NetworkNamespace.current());
    libc.check(libc.unshare(CLONE_NEWNET), 'unshare', 'into a new network namespace');
    try {
      return NetworkNamespace.current();
    } finally {
      if (libc.setns(back.fd, CLONE_NEWNET) < 0) abandon('just made');
    }
  }

  /** The descriptor, which stays owned by this object; -1 once disposed of. */
  get fd(): number {
    return this.#fd;
  }

  /** True when both are the same namespace of this kernel. */
  isSame(other: Pick<NetworkNamespace, 'inode' | 'device'>): boolean {
    return this.inode === other.inode && this.device === other.device;
  }

  /** A second owner of the same namespace. */
  duplicate(): NetworkNamespace {
    return new NetworkNamespace(libc.check(libc.fcntl(this.#fd, F_DUPFD_CLOEXEC, 0), 'fcntl', 'F_DUPFD_CLOEXEC'));
  }

  /** Runs a synchronous task inside the namespace (N1, N2, N3); sockets it creates stay there. */
  run<T>(task: () => T): T {
    const back = (whereabouts ??= NetworkNamespace.current());
    if (this.#fd >= 0 && this.isSame(back)) return synchronous(task);
    libc.check(libc.setns(this.#fd, CLONE_NEWNET), 'setns', `into network namespace ${this.inode}`);
    whereabouts = { fd: this.#fd, inode: this.inode, device: this.device };
    try {
      return synchronous(task);
    } finally {
      whereabouts = back;
      if (libc.setns(back.fd, CLONE_NEWNET) < 0) abandon(String(this.inode));
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

function synchronous<T>(task: () => T): T {
  const result = task();
  if (result instanceof Promise) throw new TypeError('NetworkNamespace.run needs a synchronous task: await outside of it');
  return result;
}

/** libc's abort: `process.abort` does not exist in workers, and an exception could be caught. */
function abandon(inode: string): void {
  const cause = new SyscallError('setns', libc.lastErrno());
  writeSync(2, `clearmesh: cannot leave network namespace ${inode}, aborting: ${cause.message}\n`);
  libc.abort();
}
