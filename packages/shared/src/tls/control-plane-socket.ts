import { isIP } from 'node:net';
import { checkServerIdentity, connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { controlPlaneTlsParameters } from './parameters.ts';
import type { TlsPolicy } from './tls-policy.ts';

export type ControlPlaneAddress = {
  /** `https://host:port`. */
  readonly url: string;
  /** A further DNS name the server certificate may carry. */
  readonly altHostname?: string | undefined;
  /** @default TLS 1.3 */
  readonly tls?: TlsPolicy | undefined;
};

/** A TLS connection for HTTP/2 that is being made. @param root PEM, or `undefined` for the roots of the system */
export function connectControlPlane({ url, altHostname, tls }: ControlPlaneAddress, root: string | undefined): TLSSocket {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: port === '' ? 443 : Number(port),
    ALPNProtocols: ['h2'],
    ...controlPlaneTlsParameters(tls),
    ...(root === undefined ? {} : { ca: root }),
    // RFC 6066 section 3: an address is never a server name.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (name, certificate) => {
      const error = checkServerIdentity(name, certificate);
      return error === undefined || altHostname === undefined ? error : checkServerIdentity(altHostname, certificate);
    },
  });
  // Sessions are told of errors by themselves; this one is for a socket that outlives them, or is given up before.
  return socket.on('error', () => {});
}
