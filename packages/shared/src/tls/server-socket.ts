/**
 * The one place that touches what node:tls keeps to itself. `tls.Server` does these two steps for its own connections only,
 * and it cannot take a prepared SecureContext per connection, which certificate rotation needs. Should Node rename any of
 * it, every handshake fails closed, and `server-handshake.component.test.ts` says so.
 */
import type { TLSSocket } from 'node:tls';

type Internals = {
  readonly _handle?: { readonly verifyError?: () => { readonly code?: string } | null | undefined } | null;
  readonly _releaseControl?: () => boolean;
  secureConnecting?: boolean;
};

/** The code of OpenSSL's verification of the peer's chain; `undefined` when it verified. */
export function verificationCode(socket: TLSSocket): string | undefined {
  const internals = socket as unknown as Internals;
  if (typeof internals._handle?.verifyError !== 'function' || typeof internals._releaseControl !== 'function')
    return 'unavailable';
  const error = internals._handle.verifyError();
  if (error === null || error === undefined) return undefined;
  return error.code ?? 'UNSPECIFIED';
}

/** Makes a verified socket behave as one of `tls.Server`: errors after the handshake are emitted, HTTP/2 sees it as connected. */
export function takeOverServerSocket(socket: TLSSocket): void {
  const internals = socket as unknown as Internals;
  internals._releaseControl?.();
  internals.secureConnecting = false;
}
