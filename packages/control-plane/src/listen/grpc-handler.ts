/** gRPC over an HTTP/2 server: routes, the gate in front of them, and nothing that a peer sends may throw. */
import { Code, ConnectError, createConnectRouter, createContextKey } from '@connectrpc/connect';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { HandlerContext } from '@connectrpc/connect';
import { constants } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { AggregatedDiscoveryService } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { IstioCertificateService } from '@clearmesh/shared/wire/gen/ca/ca_pb';
import type { Logger } from '@clearmesh/shared/observe/log';
import type { Authenticated, Authentication } from '../certify/caller.ts';
import type { CertificateService } from '../certify/certificate-service.ts';
import type { ControlPlaneMetrics } from '../admin/control-plane-metrics.ts';
import type { DiscoveryService } from '../publish/discovery-service.ts';

export type GrpcDeps = {
  readonly authenticate: (authorization: string | null) => Promise<Authentication>;
  readonly discovery: DiscoveryService;
  readonly certificates: CertificateService;
  readonly metrics: Pick<ControlPlaneMetrics, 'unauthenticated'>;
  readonly logger: Logger;
};

export type GrpcHandler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

const callerKey = createContextKey<Authenticated | undefined>(undefined);

/** Bytes of one discovery request: versions of 100 000 resources on a reconnect. */
const maxDiscoveryRequest = 16 * 1024 * 1024;
/** Bytes of one certificate request. */
const maxCertificateRequest = 64 * 1024;

/** Serves discovery and certificates; any other path is 404, any unusable request 400. */
export function grpcHandler(deps: GrpcDeps): GrpcHandler {
  const router = createConnectRouter({ connect: false, grpcWeb: false, acceptCompression: [], requestGate: gate(deps) });
  router.service(
    AggregatedDiscoveryService,
    { deltaAggregatedResources: (requests, context) => deps.discovery.serve(requests, callerOf(context), context.signal) },
    { readMaxBytes: maxDiscoveryRequest },
  );
  router.service(
    IstioCertificateService,
    { createCertificate: (request, context) => deps.certificates.create(request, callerOf(context).caller) },
    { readMaxBytes: maxCertificateRequest },
  );
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const handle = async (request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> => {
    const handler = handlers.get(request.url);
    if (handler === undefined) return void response.writeHead(404).end();
    const answer = await handler(universalRequestFromNodeRequest(request, response, undefined, undefined));
    await universalResponseToNodeResponse(answer, response);
  };
  return (request, response) => {
    response.stream.once('wantTrailers', () => setImmediate(() => endStream(request)));
    handle(request, response).catch((error: unknown) => {
      deps.logger.debug('a call ended early', { path: request.url.slice(0, 200), error: ConnectError.from(error).message });
      if (!response.headersSent && !response.stream.destroyed) response.writeHead(400).end();
    });
  };
}

/**
 * RFC 9113 section 8.1: a server that has answered in full may ask the peer with RST_STREAM NO_ERROR to stop sending.
 * Without it a stream whose peer never ends its request stays half open, and holds up a drain for ever.
 */
function endStream({ stream }: Http2ServerRequest): void {
  if (!stream.destroyed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Before a byte of the request is read. */
function gate(deps: GrpcDeps): (context: HandlerContext) => Promise<void> {
  return async (context) => {
    const authentication = await deps.authenticate(context.requestHeader.get('authorization'));
    if (authentication.kind === 'caller') {
      context.values.set(callerKey, authentication);
      return;
    }
    deps.metrics.unauthenticated.add({ rpc: context.method.name });
    deps.logger.warn('call refused', { rpc: context.method.name, reason: authentication.reason });
    throw new ConnectError('unauthenticated', Code.Unauthenticated);
  };
}

function callerOf(context: HandlerContext): Authenticated {
  const caller = context.values.get(callerKey);
  // Unreachable while the gate stands; without a caller nothing may be answered.
  if (caller === undefined) throw new ConnectError('unauthenticated', Code.Unauthenticated);
  return caller;
}
