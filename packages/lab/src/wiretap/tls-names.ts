/** IANA's TLS registries, the part that a mesh meets; anything else shows as its number. */

const versions: Readonly<Record<number, string>> = {
  0x0300: 'SSLv3',
  0x0301: 'TLSv1',
  0x0302: 'TLSv1.1',
  0x0303: 'TLSv1.2',
  0x0304: 'TLSv1.3',
};

const groups: Readonly<Record<number, string>> = {
  0x0017: 'secp256r1',
  0x0018: 'secp384r1',
  0x0019: 'secp521r1',
  0x001a: 'brainpoolP256r1',
  0x001b: 'brainpoolP384r1',
  0x001c: 'brainpoolP512r1',
  0x001d: 'X25519',
  0x001e: 'X448',
  0x0100: 'ffdhe2048',
  0x0101: 'ffdhe3072',
  0x0102: 'ffdhe4096',
  0x0103: 'ffdhe6144',
  0x0104: 'ffdhe8192',
  0x0200: 'MLKEM512',
  0x0201: 'MLKEM768',
  0x0202: 'MLKEM1024',
  0x11eb: 'SecP256r1MLKEM768',
  0x11ec: 'X25519MLKEM768',
  0x11ed: 'SecP384r1MLKEM1024',
};

/** As Node names versions, e.g. `TLSv1.3`. */
export function versionName(code: number): string {
  return versions[code] ?? numbered(code);
}

/** A key-exchange group, e.g. `X25519MLKEM768`. */
export function groupName(code: number): string {
  return groups[code] ?? numbered(code);
}

/** `GREASE` for the values reserved to keep servers tolerant (RFC 8701), else hexadecimal. */
function numbered(code: number): string {
  const isGrease = (code & 0x0f0f) === 0x0a0a && code >> 8 === (code & 0xff);
  return isGrease ? 'GREASE' : `0x${code.toString(16).padStart(4, '0')}`;
}
