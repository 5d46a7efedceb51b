/** Address blocks as policies write them: `10.0.0.0/8`, or an address alone. */
import { ipToBytes, parseIp } from './ip-address.ts';
import type { Cidr } from './ip-address.ts';

/** The block, host bits kept as written; `undefined` for any other text. */
export function parseBlock(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0) return undefined;
  const bytes = ipToBytes(ip);
  if (length === undefined) return { bytes, length: bytes.length * 8 };
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  // A block of IPv4-mapped addresses (::ffff:10.0.0.0/104) means IPv4, as everywhere in the mesh.
  const prefix = Number(length) - (address.includes(':') && bytes.length === 4 ? 96 : 0);
  return prefix < 0 || prefix > bytes.length * 8 ? undefined : { bytes, length: prefix };
}
