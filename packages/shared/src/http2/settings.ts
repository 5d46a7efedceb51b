/** SETTINGS (RFC 9113 section 6.5). */
import { errorCode } from './error-code.ts';
import { defaultMaxFrame, defaultWindow, max31Bits } from './frame.ts';

export const settingId = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

const entryBytes = 6;
const maxFrameCeiling = 16_777_215;

/** What a peer said about itself; before its first SETTINGS, what the RFC assumes. */
export type PeerSettings = {
  readonly headerTableSize: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
  readonly maxFrameSize: number;
};

export const assumedSettings: PeerSettings = {
  headerTableSize: 4096,
  maxConcurrentStreams: Infinity,
  initialWindowSize: defaultWindow,
  maxFrameSize: defaultMaxFrame,
};

export type SettingsRefusal = { readonly kind: 'refused'; readonly code: number; readonly detail: string };

/**
 * The settings after this frame. Entries are taken in their order, the last of a kind counts, and unknown ones are passed over
 * (sections 6.5.2 and 6.5.3).
 *
 * @param fromServer a server may not say that it takes pushes (section 6.5.2)
 */
export function applySettings(
  before: PeerSettings,
  payload: Buffer,
  fromServer: boolean,
): { readonly kind: 'applied'; readonly settings: PeerSettings } | SettingsRefusal {
  const settings = { ...before };
  for (let at = 0; at < payload.length; at += entryBytes) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case settingId.headerTableSize:
        settings.headerTableSize = value;
        break;
      case settingId.enablePush:
        if (value > 1 || (fromServer && value === 1)) return refused(errorCode.PROTOCOL_ERROR, `ENABLE_PUSH is ${value}`);
        break;
      case settingId.maxConcurrentStreams:
        settings.maxConcurrentStreams = value;
        break;
      case settingId.initialWindowSize:
        if (value > max31Bits) return refused(errorCode.FLOW_CONTROL_ERROR, `INITIAL_WINDOW_SIZE is ${value}`);
        settings.initialWindowSize = value;
        break;
      case settingId.maxFrameSize:
        if (value < defaultMaxFrame || value > maxFrameCeiling)
          return refused(errorCode.PROTOCOL_ERROR, `MAX_FRAME_SIZE is ${value}`);
        settings.maxFrameSize = value;
        break;
      default:
    }
  }
  return { kind: 'applied', settings };
}

/** The length of a SETTINGS payload is a multiple of six (section 6.5). */
export function isSettingsLength(length: number): boolean {
  return length % entryBytes === 0;
}

/** The payload of a SETTINGS frame. */
export function settingsPayload(entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * entryBytes);
  for (const [i, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(id, i * entryBytes);
    payload.writeUInt32BE(value, i * entryBytes + 2);
  }
  return payload;
}

function refused(code: number, detail: string): SettingsRefusal {
  return { kind: 'refused', code, detail };
}
