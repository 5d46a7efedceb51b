/** The cluster's own images as OCI archives, made from Debian's static busybox and a CoreDNS of the cache. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FileTree } from '@clearmesh/images/file-tree';
import { cachedLayerOf } from '@clearmesh/images/layer';
import { packImage } from '@clearmesh/images/oci-archive';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { busyboxImage, corednsImage, pauseImage } from './names.ts';

const busybox = '/bin/busybox';
const run = promisify(execFile);

/** Writes the archives into a folder; gives their paths. */
export async function systemImages(folder: string, coredns: string): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const shell = await cachedLayerOf(await busyboxTree());
  const dns = new FileTree();
  dns.addFile('coredns', await readFile(coredns), 0o755);
  const resolver = await cachedLayerOf(dns);
  const images = [
    { file: 'pause', name: pauseImage, layer: shell, entrypoint: ['/bin/sleep', '2147483647'] },
    { file: 'busybox', name: busyboxImage, layer: shell, entrypoint: [] },
    { file: 'coredns', name: corednsImage, layer: resolver, entrypoint: ['/coredns'] },
  ];
  return Promise.all(
    images.map(async ({ file, name, layer, entrypoint }) => {
      const path = join(folder, `${file}.tar`);
      const config = {
        Entrypoint: entrypoint,
        Cmd: entrypoint.length === 0 ? ['/bin/sh'] : [],
        Env: ['PATH=/bin'],
        WorkingDir: '/',
      };
      await writeFile(path, await packImage({ name, layers: [layer], config }));
      return path;
    }),
  );
}

/** Busybox under the name of each of its applets. */
async function busyboxTree(): Promise<FileTree> {
  const program = await readFile(busybox);
  if (!isStatic(program)) {
    const hint = 'Debian and Ubuntu: sudo apt-get install busybox-static';
    throw new MeshError('MESH-HOST-001', { message: `${busybox} needs shared libraries, which no image has`, hint });
  }
  const { stdout } = await run(busybox, ['--list']);
  const tree = new FileTree();
  tree.addFile('bin/busybox', program, 0o755);
  for (const applet of stdout.trim().split('\n')) if (applet !== 'busybox') tree.addSymlink(`bin/${applet}`, 'busybox');
  tree.addFile('etc/passwd', 'root:x:0:0:root:/:/bin/sh\n');
  tree.addDirectory('tmp', 0o1777);
  return tree;
}

const headerTableOffset = 32;
const headerSizeOffset = 54;
const interpreter = 3;

/** True for an ELF program of 64 bits, little-endian, that names no interpreter: elf(5), PT_INTERP. */
export function isStatic(program: Buffer): boolean {
  if (program.length < 64 || program.readUInt32BE(0) !== 0x7f454c46) return false;
  const table = Number(program.readBigUInt64LE(headerTableOffset));
  const size = program.readUInt16LE(headerSizeOffset);
  const count = program.readUInt16LE(headerSizeOffset + 2);
  if (count === 0 || table + size * count > program.length) return false;
  return !Array.from({ length: count }, (_, index) => program.readUInt32LE(table + size * index)).includes(interpreter);
}
