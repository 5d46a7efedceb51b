/**
 * Frames that carry nothing and rule everything: SETTINGS, PING, GOAWAY, RST_STREAM, WINDOW_UPDATE (RFC 9113 sections 6.4 to
 * 6.9).
 *
 * K1  SETTINGS are acknowledged once they hold; a changed INITIAL_WINDOW_SIZE moves every stream's window (section 6.9.2).
 * K2  PING is answered with what it carried (section 6.7).
 * K3  Streams above the last one that a GOAWAY names were not processed; a second GOAWAY may name an earlier one (section 6.8).
 * K4  RST_STREAM and WINDOW_UPDATE for a stream that nobody opened are PROTOCOL_ERROR, for one that is over they are passed
 *     over (section 5.1).
 * K5  A window grows by something, and not beyond 2^31-1 (section 6.9.1).
 * K6  What PRIORITY says is not looked at, but it says it in five bytes (section 6.3).
 */
import type { ConnectionCore } from './connection-core.ts';
import { errorCode } from './error-code.ts';
import { flag } from './frame.ts';
import { applySettings, assumedSettings } from './settings.ts';

const priorityBytes = 5;
const tooLarge = 'a window above 2^31-1';

export class IncomingControl {
  readonly #core: ConnectionCore;
  #settled = false;

  constructor(core: ConnectionCore) {
    this.#core = core;
  }

  /** The peer has acknowledged our settings. */
  get settled(): boolean {
    return this.#settled;
  }

  /** K1. */
  recvSettings(flags: number, payload: Buffer): void {
    const core = this.#core;
    if (!core.allows('control')) return;
    if ((flags & flag.ack) !== 0) {
      this.#settled = true;
      return;
    }
    const before = core.peer ?? assumedSettings;
    const applied = applySettings(before, payload, core.isClient);
    if (applied.kind === 'refused') return core.fail(applied.code, applied.detail);
    core.peer = applied.settings;
    core.sender.recvSettings(applied.settings);
    core.sender.settingsAck();
    core.events.recvSettings();
    this.#growStreams(applied.settings.initialWindowSize - before.initialWindowSize);
  }

  /** K2. */
  recvPing(flags: number, payload: Buffer): void {
    if ((flags & flag.ack) !== 0) this.#core.events.recvPong();
    else if (this.#core.allows('control')) this.#core.sender.ping(flag.ack, payload);
  }

  /** K3. */
  recvGoaway(lastStream: number, code: number): void {
    const core = this.#core;
    if (core.isClient) {
      for (const stream of core.streams.values()) {
        if (stream.id <= lastStream || stream.state === 'closed') continue;
        core.close(stream, 'ended');
        stream.events.recvReset(errorCode.REFUSED_STREAM);
      }
    }
    core.events.recvGoaway(code);
  }

  /** K6. */
  recvPriority(id: number, length: number): void {
    if (length === priorityBytes) return;
    const stream = this.#core.streams.get(id);
    if (stream === undefined) this.#core.fail(errorCode.FRAME_SIZE_ERROR, `PRIORITY of ${length} bytes`);
    else this.#core.fault(stream, errorCode.FRAME_SIZE_ERROR);
  }

  /** K4. */
  recvReset(id: number, code: number): void {
    const core = this.#core;
    if (core.streams.isIdle(id)) return core.fail(errorCode.PROTOCOL_ERROR, 'RST_STREAM for a stream that nobody opened');
    if (!core.allows('resets')) return;
    const stream = core.streams.get(id);
    if (stream === undefined) return;
    core.close(stream, 'ended');
    stream.events.recvReset(code);
  }

  /** K4, K5. */
  recvWindow(id: number, bytes: number): void {
    const core = this.#core;
    if (id === 0) {
      if (bytes === 0) core.fail(errorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE by nothing');
      else if (!core.sender.recvWindow(bytes)) core.fail(errorCode.FLOW_CONTROL_ERROR, tooLarge);
      return;
    }
    if (core.streams.isIdle(id)) return core.fail(errorCode.PROTOCOL_ERROR, 'WINDOW_UPDATE for a stream that nobody opened');
    const stream = core.streams.get(id);
    if (stream === undefined) return;
    if (bytes === 0) core.fault(stream, errorCode.PROTOCOL_ERROR);
    else if (!stream.send.grow(bytes)) core.fault(stream, errorCode.FLOW_CONTROL_ERROR);
    else stream.events.recvCapacity();
  }

  /** K1. */
  #growStreams(bytes: number): void {
    if (bytes === 0) return;
    for (const stream of this.#core.streams.values()) {
      if (stream.state === 'closed') continue;
      if (!stream.send.grow(bytes)) return this.#core.fail(errorCode.FLOW_CONTROL_ERROR, tooLarge);
      stream.events.recvCapacity();
    }
  }
}
