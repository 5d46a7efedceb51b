/** Files that appear whole or not at all, and outlive a crash of the machine. */
import { createReadStream } from 'node:fs';
import { copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A name that neither the container runtime nor a person takes for a configuration. */
function besides(path: string): string {
  return join(dirname(path), `.${basename(path)}.clearmesh-${process.pid}`);
}

/** Replaces a file's text; `mode` counts for a new file as well. */
export async function replaceText(path: string, text: string, mode: number): Promise<void> {
  const draft = besides(path);
  try {
    const file = await open(draft, 'w', mode);
    try {
      await file.writeFile(text);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Copies a program into place, unless it is there already; true when it was copied. A program that runs goes on as it was. */
export async function installProgram(source: string, target: string): Promise<boolean> {
  if (await sameContent(source, target)) return false;
  const draft = besides(target);
  try {
    await copyFile(source, draft);
    const file = await open(draft, 'r+');
    try {
      await file.chmod(0o755);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, target);
    return true;
  } finally {
    await rm(draft, { force: true });
  }
}

async function sameContent(left: string, right: string): Promise<boolean> {
  const [leftStat, rightStat] = await Promise.all([stat(left), stat(right).catch(() => undefined)]);
  if (rightStat === undefined || leftStat.size !== rightStat.size || (rightStat.mode & 0o111) === 0) return false;
  const rightChunks = createReadStream(right, { highWaterMark: 1 << 20 })[Symbol.asyncIterator]();
  // Files are read in chunks of this size up to their ends, both alike.
  for await (const chunk of createReadStream(left, { highWaterMark: 1 << 20 })) {
    const other = await rightChunks.next();
    if (other.done === true || !(chunk as Buffer).equals(other.value as Buffer)) return false;
  }
  return (await rightChunks.next()).done === true;
}
