import { expect } from 'chai';
import { describe, it } from 'mocha';
import { SyscallError } from '../src/errno.ts';

describe('SyscallError', () => {
  it('carries the call, the number and its name', () => {
    const error = new SyscallError('setns', 1, 'into network namespace 42');
    expect(error).to.include({ name: 'SyscallError', syscall: 'setns', errno: 1, code: 'EPERM' });
    expect(error.message).to.equal('setns into network namespace 42: operation not permitted (EPERM)');
  });

  it('names a number it does not know by the number', () => {
    expect(new SyscallError('ioctl', 4000).code).to.equal('E4000');
  });
});
