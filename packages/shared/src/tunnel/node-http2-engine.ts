/**
 * The engine on node:http2 (nghttp2). Streams are Node's own, handed over as they are; `node-http2-stream.ts` has what is
 * changed on them. Header lists that are too long, or malformed requests, reset their stream only, as RFC 9113 sections
 * 8.1.1 and 10.5.1 have it; what harms the connection ends it.
 */
import { connect, performServerHandshake } from 'node:http2';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Clock } from '../lifecycle/clock.ts';
import { MeshError } from '../observe/mesh-error.ts';
import type { ClientSession, EngineSettings, IncomingConnect, ServerSession, TunnelEngine } from './engine.ts';
import { NodeHttp2ClientSession } from './node-http2-client-session.ts';
import { clientOptions, serverOptions } from './node-http2-options.ts';
import { NodeHttp2ServerSession } from './node-http2-server-session.ts';

export class NodeHttp2Engine implements TunnelEngine {
  readonly name = 'node-http2';
  readonly #clock: Clock;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  get inner(): TunnelEngine {
    return this;
  }

  async connect(transport: Duplex, settings: EngineSettings): Promise<ClientSession> {
    if (transport.destroyed) throw new MeshError('MESH-HBONE-004', { message: 'the connection closed before HTTP/2 began' });
    // The URL gives node:http2 defaults that a CONNECT, which brings its own authority, never uses.
    const session = connect('https://hbone.invalid', { ...clientOptions(settings), createConnection: () => transport });
    const client = new NodeHttp2ClientSession(session, transport, settings, { clock: this.#clock });
    session.setLocalWindowSize(settings.connectionWindow);
    await once(session, 'connect');
    return client;
  }

  serve(transport: Duplex, settings: EngineSettings, onConnect: (incoming: IncomingConnect) => void): ServerSession {
    const session = performServerHandshake(transport, serverOptions(settings));
    session.setLocalWindowSize(settings.connectionWindow);
    return new NodeHttp2ServerSession(session, transport, settings, { clock: this.#clock, onConnect });
  }
}
