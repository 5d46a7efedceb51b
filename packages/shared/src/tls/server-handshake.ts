import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../lifecycle/clock.ts';
import { awaitHandshake, judgePeer } from './handshake.ts';
import type { HandshakeLimits, HandshakeOutcome, PeerObjection } from './handshake.ts';
import { verificationFailure } from './handshake-failure.ts';
import { alpnProtocols } from './parameters.ts';
import type { PeerRule } from './peer-identity.ts';
import { takeOverServerSocket, verificationCode } from './server-socket.ts';

/**
 * The server's side of a mesh handshake over an accepted socket, which belongs to the result from now on.
 *
 * What the client gets for each failure: OpenSSL itself sends alert 116 (no certificate), 70 (no TLS 1.3), 120 (ALPN without
 * h2) and 40 (no suite or group in common). Node's verification callback never stops a handshake, so for a certificate
 * that does not verify or names nobody acceptable there is no alert: the connection closes without a byte of HTTP/2.
 */
export function acceptHandshake(
  raw: Socket,
  options: { readonly context: SecureContext; readonly rule: PeerRule; readonly objection?: PeerObjection } & HandshakeLimits,
  deps: { readonly clock: Clock },
): Promise<HandshakeOutcome> {
  const socket = new TLSSocket(raw, {
    isServer: true,
    secureContext: options.context,
    requestCert: true,
    // Makes OpenSSL insist on a certificate; what it is worth is judged below.
    rejectUnauthorized: true,
    ALPNProtocols: [...alpnProtocols],
  });
  const judge = (): HandshakeOutcome => {
    const code = verificationCode(socket);
    if (code === 'unavailable') return { kind: 'failed', failure: { reason: 'unverifiable', detail: `Node ${process.version}` } };
    if (code !== undefined) return { kind: 'failed', failure: verificationFailure(code) };
    const outcome = judgePeer(socket, options);
    if (outcome.kind === 'verified') takeOverServerSocket(socket);
    return outcome;
  };
  return awaitHandshake(socket, raw, { event: 'secure', judge }, options, deps);
}
