/** What each frame must look like before its payload is read (RFC 9113 sections 4.2 and 6). */
import { errorCode } from './error-code.ts';
import { flag, frameType } from './frame.ts';
import { isSettingsLength } from './settings.ts';

export type FrameFault = { readonly code: number; readonly detail: string };

/** Frames of the connection; the others of a stream, save WINDOW_UPDATE, which has both. */
const ofConnection: ReadonlySet<number> = new Set([frameType.settings, frameType.ping, frameType.goaway]);
const ofStream: ReadonlySet<number> = new Set([
  frameType.data,
  frameType.headers,
  frameType.priority,
  frameType.rstStream,
  frameType.pushPromise,
  frameType.continuation,
]);

/** What ends the connection, or `undefined`. */
export function frameFault(
  type: number,
  flags: number,
  stream: number,
  length: number,
  maxFrame: number,
): FrameFault | undefined {
  if (length > maxFrame) return fault(errorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes, of ${maxFrame} agreed`);
  if (ofConnection.has(type) && stream !== 0) return fault(errorCode.PROTOCOL_ERROR, `a frame of type ${type} on a stream`);
  if (ofStream.has(type) && stream === 0) return fault(errorCode.PROTOCOL_ERROR, `a frame of type ${type} on no stream`);
  if (!isLength(type, flags, length)) return fault(errorCode.FRAME_SIZE_ERROR, `a frame of type ${type} with ${length} bytes`);
  return undefined;
}

/** Sections 6.4, 6.5, 6.7, 6.8 and 6.9. */
function isLength(type: number, flags: number, length: number): boolean {
  switch (type) {
    case frameType.rstStream:
    case frameType.windowUpdate:
      return length === 4;
    case frameType.settings:
      return (flags & flag.ack) === 0 ? isSettingsLength(length) : length === 0;
    case frameType.ping:
      return length === 8;
    case frameType.goaway:
      return length >= 8;
    default:
      return true;
  }
}

function fault(code: number, detail: string): FrameFault {
  return { code, detail };
}
