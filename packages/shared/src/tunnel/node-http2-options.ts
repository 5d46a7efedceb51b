/** How the settings of section 2.3 and our limits are said to node:http2. */
import type { ClientSessionOptions, ServerSessionOptions, SessionOptions } from 'node:http2';
import type { EngineSettings } from './engine.ts';

/**
 * Only as client: ENABLE_PUSH 0. A server sends no ENABLE_PUSH and a client no MAX_CONCURRENT_STREAMS, as upstream.
 */
export function clientOptions(settings: EngineSettings): ClientSessionOptions {
  return { ...limits, settings: { enablePush: false, ...sizes(settings) } };
}

/** Adds MAX_CONCURRENT_STREAMS. */
export function serverOptions(settings: EngineSettings): ServerSessionOptions {
  return { ...limits, settings: { maxConcurrentStreams: settings.maxConcurrentStreams, ...sizes(settings) } };
}

function sizes(settings: EngineSettings): NonNullable<SessionOptions['settings']> {
  return { initialWindowSize: settings.streamWindow, maxFrameSize: settings.maxFrame, maxHeaderListSize: settings.maxHeaderList };
}

const limits = {
  // Megabytes of what a session keeps natively: header tables and what waits to be sent. Received data is not counted, so
  // 16 MiB windows do not touch it, but 200 streams with 64 KiB each to send would exceed Node's 10 and be refused.
  maxSessionMemory: 64,
  // In a tunnel a reset is how an application's connection ends, not an attack: Node's 33 a second would end tunnels in use.
  // What is meant here is the loop of CVE-2023-44487, which runs at tens of thousands.
  streamResetBurst: 5000,
  streamResetRate: 500,
  // HBONE needs half a dozen headers.
  maxHeaderListPairs: 64,
};
