/** Reads a keyed request's body whole: its fingerprint must be known before anything is dispatched. */
import type { Readable } from 'node:stream';
import type { Refused } from '../exchange/stage.ts';

export type BufferedBody = { readonly kind: 'body'; readonly body: Buffer } | Refused;

export type BodyLimits = {
  /** @default 1 048 576 */
  readonly maxBytes?: number;
  /** Of `content-length`: too large a body is refused unread. */
  readonly announcedBytes?: number;
};

/**
 * The whole body; the stream is paused, not destroyed, where it is refused, so that the refusal can still be sent.
 * Rejects with the signal's reason only.
 */
export function bufferBody(source: Readable, limits: BodyLimits, signal: AbortSignal): Promise<BufferedBody> {
  const maxBytes = limits.maxBytes ?? 1024 * 1024;
  if ((limits.announcedBytes ?? 0) > maxBytes) return Promise.resolve(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (outcome: BufferedBody | undefined): void => {
      source.off('data', recvData).off('end', recvEnd).off('error', recvGone).off('close', recvGone);
      signal.removeEventListener('abort', recvAbort);
      // A late error of the stream is its owner's affair; without a listener it would end the process.
      source.once('error', () => {});
      if (outcome === undefined) reject(signal.reason);
      else resolve(outcome);
    };
    const recvData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) return void chunks.push(chunk);
      source.pause();
      finish(tooLarge(maxBytes));
    };
    const recvEnd = (): void =>
      finish({ kind: 'body', body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks) });
    const recvGone = (): void => finish(callerGone);
    const recvAbort = (): void => finish(undefined);
    if (signal.aborted) return recvAbort();
    if (source.readableEnded) return recvEnd();
    if (source.destroyed) return recvGone();
    signal.addEventListener('abort', recvAbort, { once: true });
    source.on('data', recvData).once('end', recvEnd).once('error', recvGone).once('close', recvGone);
  });
}

const callerGone: BufferedBody = {
  kind: 'refused',
  failure: { kind: 'caller-gone', detail: 'the caller left before its request was complete; nothing was dispatched' },
};

function tooLarge(maxBytes: number): BufferedBody {
  return {
    kind: 'refused',
    failure: { kind: 'body-too-large', detail: `a request with an idempotency key may have a body of ${maxBytes} bytes at most` },
  };
}
