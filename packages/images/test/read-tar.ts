import { extract } from 'tar-stream';

/** Every entry of a tar by its path; directories are empty and end with a slash or not, as they were written. */
export async function readTar(bytes: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const entries = new Map<string, Buffer>();
  const reader = extract();
  reader.end(bytes);
  for await (const entry of reader) {
    entries.set(entry.header.name, Buffer.concat(await Array.fromAsync(entry as AsyncIterable<Buffer>)));
  }
  return entries;
}
