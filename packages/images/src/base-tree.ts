/**
 * What every image stands on: Node, the libraries it needs, names for users, roots of certificates, a place for
 * temporary files. No shell and no package manager.
 */
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { unprivilegedId } from './component.ts';
import { FileTree } from './file-tree.ts';
import { addLibraries } from './shared-libraries.ts';

const certificates = '/etc/ssl/certs/ca-certificates.crt';

export async function baseTree(): Promise<FileTree> {
  const tree = new FileTree();
  const node = nodeBinary();
  tree.addFile('usr/local/bin/node', await readFile(node), 0o755);
  await addLibraries(tree, node);
  addUsers(tree);
  tree.addFile(certificates.slice(1), await readCertificates());
  // Names are asked of the hosts file first, then of DNS; without the file glibc does the same, but other resolvers look here.
  tree.addFile('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  tree.addFile('etc/os-release', 'ID=clearmesh\nNAME=Clearmesh\nPRETTY_NAME="Clearmesh base"\n');
  tree.addDirectory('tmp', 0o1777);
  for (const mounted of ['dev', 'proc', 'sys', 'run', 'var/run']) tree.addDirectory(mounted);
  return tree;
}

function addUsers(tree: FileTree): void {
  const id = unprivilegedId;
  tree.addFile('etc/passwd', `root:x:0:0:root:/:/sbin/nologin\nclearmesh:x:${id}:${id}:Clearmesh:/tmp:/sbin/nologin\n`);
  tree.addFile('etc/group', `root:x:0:\nclearmesh:x:${id}:\n`);
}

/** The Node of the npm package, whose version the lock file pins. */
function nodeBinary(): string {
  return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin/node');
}

async function readCertificates(): Promise<Buffer> {
  try {
    await access(certificates);
  } catch (error) {
    const hint = 'Install the Debian package ca-certificates, or its equivalent.';
    throw new MeshError('MESH-HOST-001', { message: `${certificates} is not there`, hint, cause: error });
  }
  return readFile(certificates);
}
