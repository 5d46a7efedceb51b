import { expect } from 'chai';
import { FileTree } from '../src/file-tree.ts';
import { addExtensions, folderIn } from '../src/xtables-extensions.ts';

const library = (text: string): Buffer => Buffer.from(`\x7fELF\x02\x01\0\0${text}\0\0xtables_init_all\0`, 'latin1');

describe('the folder with the extensions of iptables', () => {
  for (const folder of ['/usr/lib/x86_64-linux-gnu/xtables', '/usr/lib/aarch64-linux-gnu/xtables', '/usr/lib64/xtables']) {
    it(`is ${folder} where libxtables has that compiled in`, () => {
      const warning = 'IP6TABLES_LIB_DIR is deprecated, use XTABLES_LIBDIR.\n';
      expect(folderIn(library(`${warning}\0${folder}`), 'libxtables.so.12')).to.equal(folder);
    });
  }

  it('fails the build where libxtables says none', () => {
    expect(() => folderIn(library('see /usr/lib/xtables for more'), 'libxtables.so.12')).to.throw(
      'libxtables.so.12 does not say',
    );
  });

  it('is not looked for where no program is linked with libxtables', async () => {
    const tree = new FileTree();
    await addExtensions(tree, ['/lib/x86_64-linux-gnu/libc.so.6']);
    expect(tree.digest).to.equal(new FileTree().digest);
  });
});
