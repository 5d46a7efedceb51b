/** Files that become a layer: paths without a leading slash, parents made as needed, the same bytes whenever it is packed. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pack } from 'tar-stream';

type Entry =
  | { readonly kind: 'file'; readonly mode: number; readonly bytes: Buffer }
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string };

/** The epoch: what is built twice from the same tree is the same. */
const builtAt = new Date(0);

export class FileTree {
  readonly #entries = new Map<string, Entry>();

  addFile(path: string, bytes: Buffer | string, mode = 0o644): void {
    this.#add(path, { kind: 'file', mode, bytes: Buffer.from(bytes) });
  }

  addDirectory(path: string, mode = 0o755): void {
    this.#add(path, { kind: 'directory', mode });
  }

  addSymlink(path: string, target: string): void {
    this.#add(path, { kind: 'symlink', target });
  }

  /** Of all paths, modes and contents. */
  get digest(): string {
    const hash = createHash('sha256');
    for (const [path, entry] of this.#sorted()) {
      const { kind } = entry;
      const content =
        kind === 'file' ? createHash('sha256').update(entry.bytes).digest('hex') : kind === 'symlink' ? entry.target : '';
      hash.update(`${kind} ${kind === 'symlink' ? '' : entry.mode} ${path} ${content}\n`);
    }
    return hash.digest('hex');
  }

  /** As an uncompressed tar; everything belongs to root. */
  async toTar(): Promise<Buffer> {
    const tar = pack();
    for (const [path, entry] of this.#sorted()) {
      const common = { name: path, mtime: builtAt, uid: 0, gid: 0 };
      if (entry.kind === 'file') tar.entry({ ...common, mode: entry.mode }, entry.bytes);
      else if (entry.kind === 'directory') tar.entry({ ...common, mode: entry.mode, type: 'directory' });
      else tar.entry({ ...common, mode: 0o777, type: 'symlink', linkname: entry.target });
    }
    tar.finalize();
    return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>));
  }

  /** Unpacked below `root`, which exists. */
  async writeTo(root: string): Promise<void> {
    for (const [path, entry] of this.#sorted()) {
      const target = join(root, path);
      if (entry.kind === 'symlink') await symlink(entry.target, target);
      else if (entry.kind === 'file') await writeFile(target, entry.bytes);
      else await mkdir(target, { recursive: true });
      // Not by the calls above: the mask of the process would cut it.
      if (entry.kind !== 'symlink') await chmod(target, entry.mode);
    }
  }

  #add(path: string, entry: Entry): void {
    const parent = dirname(path);
    if (parent !== '.' && !this.#entries.has(parent)) this.addDirectory(parent);
    this.#entries.set(path, entry);
  }

  /** Parents before their children: a path is longer than that of its parent, and begins with it. */
  #sorted(): readonly (readonly [string, Entry])[] {
    return [...this.#entries].sort(([one], [other]) => (one < other ? -1 : 1));
  }
}
