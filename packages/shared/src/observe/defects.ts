/**
 * Tells a defect of ours from what a network does. Errors that reach the process unhandled should not exist; when one
 * does, only a defect may end it, since a peer must never be able to (house rule: bytes cannot crash a process).
 */

import type { Logger } from './log.ts';

/** System calls of sockets: their failures are events of the network, whoever forgot to listen. */
const socketCalls: ReadonlySet<string> = new Set([
  'accept',
  'connect',
  'read',
  'write',
  'shutdown',
  'sendmsg',
  'recvmsg',
  'getaddrinfo',
]);

/** The same where Node's TLS and streams give them without naming a call. */
const networkCodes: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** Codes that Node's TLS, HTTP/2 and streams give to what a peer sent or stopped sending. */
const peerCodes = /^ERR_(?:HTTP2|SSL|TLS|OSSL|STREAM_PREMATURE_CLOSE|STREAM_DESTROYED|STREAM_WRITE_AFTER_END)/;

/** False for failures that a peer, the control plane or the network caused. */
export function isDefect(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return true;
  if ('syscall' in thrown && typeof thrown.syscall === 'string' && socketCalls.has(thrown.syscall)) return false;
  // What a gRPC peer answered, or its absence; its code is a number.
  if (thrown.name === 'ConnectError') return false;
  if (!('code' in thrown) || typeof thrown.code !== 'string') return true;
  return !networkCodes.has(thrown.code) && !peerCodes.test(thrown.code);
}

/** An error nobody handled: of the network, it is logged; of ours, the state is unknown, and a new process is safer. */
export function surviveTheNetwork(logger: Logger): void {
  const recvUnhandled = (thrown: unknown): void => {
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    logger.error('unhandled error [MESH-INTERNAL-001]', { error });
    if (isDefect(thrown)) process.exit(1);
  };
  process.on('uncaughtException', recvUnhandled);
  process.on('unhandledRejection', recvUnhandled);
}
