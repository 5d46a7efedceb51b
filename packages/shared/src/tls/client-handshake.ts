import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../lifecycle/clock.ts';
import { awaitHandshake, judgePeer } from './handshake.ts';
import type { HandshakeLimits, HandshakeOutcome, PeerObjection } from './handshake.ts';
import { alpnProtocols } from './parameters.ts';
import type { PeerRule } from './peer-identity.ts';

/**
 * The client's side of a mesh handshake over a connected socket or another stream, which belongs to the result from now on.
 * No name is sent or checked: the peer is whom `rule` accepts. TLS 1.3 lets a client finish before the server has judged
 * it, so a refusal by the server shows only when the connection is used.
 */
export function connectHandshake(
  raw: Duplex,
  options: { readonly context: SecureContext; readonly rule: PeerRule; readonly objection?: PeerObjection } & HandshakeLimits,
  deps: { readonly clock: Clock },
): Promise<HandshakeOutcome> {
  const socket = connect({
    socket: raw,
    secureContext: options.context,
    ALPNProtocols: [...alpnProtocols],
    // The chain is verified for server authentication by OpenSSL; a failure arrives as an error with its code.
    rejectUnauthorized: true,
    checkServerIdentity: () => undefined,
  });
  const judge = (): HandshakeOutcome => judgePeer(socket, { ...options, group: groupOf(socket) });
  return awaitHandshake(socket, raw, { event: 'secureConnect', judge }, options, deps);
}

function groupOf(socket: TLSSocket): string | undefined {
  const info = socket.getEphemeralKeyInfo();
  return info !== null && 'name' in info && typeof info.name === 'string' ? info.name : undefined;
}
