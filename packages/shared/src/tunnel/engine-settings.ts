import type { EngineSettings } from './engine.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** The settings of a client as section 2.3 has them. */
export const clientSettings: EngineSettings = {
  streamWindow: 4 * MIB,
  connectionWindow: 16 * MIB,
  maxFrame: MIB,
  maxHeaderList: 16 * KIB,
  // Push is off, so a server opens none.
  maxConcurrentStreams: 0,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 20_000,
  firstFramesMs: 10_000,
};

/** The settings of a server as section 2.3 has them. */
export const serverSettings: EngineSettings = { ...clientSettings, maxHeaderList: 64 * KIB, maxConcurrentStreams: 200 };
