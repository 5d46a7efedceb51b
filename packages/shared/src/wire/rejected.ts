/** How a decoder says no: it returns a reason for the NACK and never throws, whatever the bytes. */

/** Nothing of the resource is used; `reason` goes into the NACK. */
export type Rejected = { readonly kind: 'rejected'; readonly reason: string };

class Unacceptable extends Error {}

/** Leaves the decoder that runs inside {@link decodeOrReject}. */
export function refuse(reason: string): never {
  throw new Unacceptable(reason);
}

/** The decoder's value, or why there is none: malformed protobuf, or what it refused. */
export function decodeOrReject<Decoded>(decode: () => Decoded): Decoded | Rejected {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Unacceptable) return { kind: 'rejected', reason: error.message };
    return { kind: 'rejected', reason: `not decodable: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** A TCP port as it stands in a `uint32` field. */
export function portFrom(value: number, field: string): number {
  return value <= 65_535 ? value : refuse(`${field}: ${value} is no TCP port`);
}
