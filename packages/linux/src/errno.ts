/** A failed kernel call, in the shape of Node's own system errors (`code`, `syscall`, `errno`), so that callers check one thing. */
import { getSystemErrorMap } from 'node:util';

export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  /** The call that failed, such as `setns`. */
  readonly syscall: string;
  /** The kernel's number, positive as in errno(3). */
  readonly errno: number;
  /** Its name, such as `EPERM`. */
  readonly code: string;

  constructor(syscall: string, errno: number, detail = '') {
    const [code, meaning] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
    super(`${syscall}${detail === '' ? '' : ` ${detail}`}: ${meaning} (${code})`);
    this.syscall = syscall;
    this.errno = errno;
    this.code = code;
  }
}
