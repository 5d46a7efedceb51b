/** The layout of frames (RFC 9113 sections 4.1 and 6). */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Length, type, flags and stream identifier. */
export const frameHeaderBytes = 9;

/** What every peer takes before it says more (section 6.5.2). */
export const defaultMaxFrame = 16_384;

/** The size of a window before either side changes it (section 6.9.2). */
export const defaultWindow = 65_535;

/** The largest window (section 6.9.1) and stream identifier (section 5.1.1) alike. */
export const max31Bits = 0x7fff_ffff;

/** What a client sends first (section 3.4). */
export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
