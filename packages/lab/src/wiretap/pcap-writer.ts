/** The classic capture format, microseconds, Ethernet: what {@link PcapDecoder} reads. */

/** tcpdump's default snapshot length: above any frame a veth carries. */
export const snapshotBytes = 262_144;

/** The 24 bytes a file begins with. */
export function pcapFileHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snapshotBytes, 16);
  header.writeUInt32LE(1, 20);
  return header;
}

/** The 16 bytes before each frame; `atUs` counts microseconds since the Unix epoch. */
export function pcapRecordHeader(atUs: number, frameBytes: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(Math.floor(atUs / 1e6), 0);
  header.writeUInt32LE(Math.floor(atUs % 1e6), 4);
  header.writeUInt32LE(frameBytes, 8);
  header.writeUInt32LE(frameBytes, 12);
  return header;
}
