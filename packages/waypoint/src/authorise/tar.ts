/**
 * Files of a tar archive (POSIX.1-2001 ustar and pax, GNU long names), as `opa build` writes them. Whatever the bytes
 * are, reading them ends: either with files, or with the reason why it is no archive.
 */

export type TarFile = { readonly name: string; readonly bytes: Uint8Array };
export type TarReading =
  | { readonly kind: 'files'; readonly files: readonly TarFile[] }
  | { readonly kind: 'malformed'; readonly reason: string };

export type TarLimits = {
  /** @default 1 024 */
  readonly maxFiles?: number;
};

const BLOCK = 512;

export function readTar(archive: Uint8Array, limits: TarLimits = {}): TarReading {
  const maxFiles = limits.maxFiles ?? 1_024;
  const files: TarFile[] = [];
  let longName: string | undefined;
  let at = 0;
  while (at + BLOCK <= archive.length) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return { kind: 'files', files };
    const size = octal(header, 124, 12);
    if (size === undefined) return malformed(at, 'has no size');
    if (octal(header, 148, 8) !== checksum(header)) return malformed(at, 'does not match its checksum');
    const start = at + BLOCK;
    if (start + size > archive.length) return malformed(at, 'names more bytes than there are');
    const bytes = archive.subarray(start, start + size);
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'x') longName = paxPath(bytes) ?? longName;
    else if (type === 'L') longName = text(bytes, 0, bytes.length);
    else {
      // Links and devices have no place in a bundle, and directories no content.
      if (type === '0' || type === '\0') files.push({ name: longName ?? nameOf(header), bytes });
      longName = undefined;
    }
    if (files.length > maxFiles) return { kind: 'malformed', reason: `the archive has more than ${maxFiles} files` };
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return at === archive.length && at > 0 ? { kind: 'files', files } : malformed(at, 'is cut off');
}

function nameOf(header: Uint8Array): string {
  const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
  const name = text(header, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records of `length key=value\n`; the length counts itself. */
function paxPath(bytes: Uint8Array): string | undefined {
  let path: string | undefined;
  for (const record of text(bytes, 0, bytes.length).split('\n')) {
    const [, value] = /^\d+ path=(.*)$/.exec(record) ?? [];
    path = value ?? path;
  }
  return path;
}

/** Sum of the header's bytes, the checksum's own counted as spaces. */
function checksum(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 32 : (header[at] ?? 0);
  return sum;
}

/** Digits up to a NUL or space; GNU's binary sizes are of archives larger than any bundle. */
function octal(header: Uint8Array, start: number, length: number): number | undefined {
  const digits = text(header, start, length).trim();
  return /^[0-7]{1,11}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function text(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end)).toString('utf8');
}

function malformed(at: number, what: string): TarReading {
  return { kind: 'malformed', reason: `the header at byte ${at} ${what}` };
}
