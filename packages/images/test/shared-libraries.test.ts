import { expect } from 'chai';
import { librariesIn } from '../src/shared-libraries.ts';

const printed = [
  '\tlinux-vdso.so.1 (0x00007ff7a6257000)',
  '\tlibdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f8a29dce000)',
  '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f8a2981e000)',
  '\t/lib64/ld-linux-x86-64.so.2 (0x00007f8a29df0000)',
  '',
].join('\n');

describe('the libraries that ldd names', () => {
  it('are those with a path, the loader among them', () => {
    expect(librariesIn(printed)).to.deep.equal([
      '/lib/x86_64-linux-gnu/libdl.so.2',
      '/lib/x86_64-linux-gnu/libc.so.6',
      '/lib64/ld-linux-x86-64.so.2',
    ]);
  });

  it('are those of each program it is asked about', () => {
    const two = `/usr/sbin/one:\n${printed}/usr/sbin/other:\n\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f8a29dce000)\n`;
    expect(librariesIn(two)).to.have.length(4).and.to.include('/lib/x86_64-linux-gnu/libmnl.so.0');
  });

  it('are none for a static program', () => {
    expect(librariesIn('\tstatically linked\n')).to.deep.equal([]);
  });

  it('fail the build where one is missing', () => {
    expect(() => librariesIn('\tlibmnl.so.0 => not found\n')).to.throw('libmnl.so.0 is not on this machine');
  });
});
