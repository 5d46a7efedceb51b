/**
 * The certificate authority behind Istio's gRPC contract (section 4): `istio.v1.auth.IstioCertificateService`.
 *
 * G1  Roots and token are read anew for each request; a connection is reused only while the roots are the ones it was
 *     verified with.
 * G2  A connection that nobody uses for `idleMs` is closed: renewals are hours apart.
 */
import type { TLSSocket } from 'node:tls';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import type { Client } from '@connectrpc/connect';
import { Http2SessionManager, createGrpcTransport } from '@connectrpc/connect-node';
import { IstioCertificateService } from '../wire/gen/ca/ca_pb.ts';
import type { SpiffeId } from '../identity/spiffe.ts';
import { MeshError } from '../observe/mesh-error.ts';
import { connectControlPlane } from '../tls/control-plane-socket.ts';
import type { ControlPlaneAddress } from '../tls/control-plane-socket.ts';
import type { CertificateAuthority } from './certificate-authority.ts';

export type GrpcCertificateAuthorityOptions = ControlPlaneAddress & {
  readonly clusterId: string;
  /** Sent beside `authorization` and `clusterid`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Name the identity that is asked for; a caller who may have its own only names none. @default true */
  readonly impersonates?: boolean;
  /** Milliseconds. @default 30 000 */
  readonly idleMs?: number;
};

export type GrpcCertificateAuthorityDeps = {
  /** PEM, or `undefined` for the roots of the system. */
  readonly readRoots: () => Promise<string | undefined>;
  readonly readToken: () => Promise<string>;
};

type Channel = {
  readonly roots: string | undefined;
  readonly connections: Http2SessionManager;
  readonly client: Client<typeof IstioCertificateService>;
};

/** A chain of a few certificates is a few kilobytes; a bundle of roots may have some dozens. */
const maxAnswerBytes = 1024 * 1024;

export class GrpcCertificateAuthority implements CertificateAuthority, Disposable {
  readonly #options: GrpcCertificateAuthorityOptions;
  readonly #deps: GrpcCertificateAuthorityDeps;
  #channel: Channel | undefined;

  constructor(options: GrpcCertificateAuthorityOptions, deps: GrpcCertificateAuthorityDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async sign(
    csr: string,
    identity: SpiffeId,
    validitySeconds: number,
    signal: AbortSignal,
  ): Promise<{ readonly chain: readonly string[] }> {
    const [roots, token] = await Promise.all([this.#deps.readRoots(), this.#deps.readToken()]);
    const { url, clusterId, headers, impersonates = true } = this.#options;
    const metadata = impersonates ? { metadata: { ImpersonatedIdentity: identity } } : {};
    const request = { csr, validityDuration: BigInt(validitySeconds), ...metadata };
    try {
      const { certChain } = await this.#channelFor(roots).client.createCertificate(request, {
        signal,
        headers: { ...headers, authorization: `Bearer ${token}`, clusterid: clusterId },
      });
      return { chain: certChain };
    } catch (thrown) {
      const { code, rawMessage } = ConnectError.from(thrown);
      throw new MeshError('MESH-CERT-001', {
        message: `the certificate authority at ${url} did not sign ${identity}: ${Code[code]}: ${rawMessage}`,
        cause: thrown,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#channel?.connections.abort();
    this.#channel = undefined;
  }

  #channelFor(roots: string | undefined): Channel {
    const current = this.#channel;
    if (current !== undefined && current.roots === roots) return current;
    // Requests under way on the former channel end there; its connection closes when it is idle.
    const { url, idleMs } = this.#options;
    const createConnection = (): TLSSocket => connectControlPlane(this.#options, roots);
    const connections = new Http2SessionManager(url, { idleConnectionTimeoutMs: idleMs ?? 30_000 }, { createConnection });
    const transport = createGrpcTransport({ baseUrl: url, sessionManager: connections, readMaxBytes: maxAnswerBytes });
    this.#channel = { roots, connections, client: createClient(IstioCertificateService, transport) };
    return this.#channel;
  }
}
