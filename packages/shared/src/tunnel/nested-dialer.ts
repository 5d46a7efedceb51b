/**
 * Two tunnels, one inside the other: to the gateway of another network, and through it to whom it leads (section 2.8).
 *
 *   outer CONNECT, pooled ─┬─ refused | failed ─▶ the gateway's outcome
 *                          └─ stream ─▶ TLS in it ─▶ HTTP/2 ─▶ inner CONNECT ─┬─ open
 *                                                                             └─ refused | failed: the far end's outcome
 *
 * G1  Both peers are proven: the gateway by the outer handshake, the far end by the inner one. The gateway sees bytes of
 *     TLS and no more, and no byte of the application goes out before the far end has answered.
 * G2  The inner tunnel carries one stream and is never pooled: the gateway chooses an endpoint for each, and a shared one
 *     would lead to the same for ever (section 2.4). It ends with its stream.
 * G3  Whatever fails inside takes the outer stream along; the outer tunnel goes on for others.
 * G4  Of failures only the gateway's own may be called unsent: what came of the far end is for the far end to say.
 */
import type { Duplex } from 'node:stream';
import { formatSocketAddress } from '../model/ip-address.ts';
import { connectTunnel } from './connector.ts';
import type { ConnectorDeps } from './connector.ts';
import type { DialOutcome, NestedTarget, NestedTunnelDialer, TunnelDialer } from './dialer.ts';
import type { ConnectRequest, EngineSettings } from './engine.ts';
import { clientSettings } from './engine-settings.ts';
import { explainUnanswered } from './unanswered.ts';

export type NestedDialerOptions = {
  /** Of the inner tunnel. @default clientSettings */
  readonly settings?: EngineSettings;
  /** Time for the inner TLS handshake, milliseconds. @default 10 000 */
  readonly connectMs?: number;
};

export type NestedDialerDeps = Omit<ConnectorDeps, 'connect'> & {
  /** That of the outer tunnels, too. */
  readonly engine: ConnectorDeps['engine'];
  /** Opens the outer streams; whose owner ends it, and the inner tunnels with it. */
  readonly outer: Pick<TunnelDialer, 'dial'>;
};

export class NestedDialer implements NestedTunnelDialer {
  readonly #options: NestedDialerOptions & { readonly settings: EngineSettings };
  readonly #deps: NestedDialerDeps;

  constructor(options: NestedDialerOptions, deps: NestedDialerDeps) {
    this.#options = { ...options, settings: options.settings ?? clientSettings };
    this.#deps = { ...deps, engine: deps.engine.inner };
  }

  /** Never rejects. */
  async dial(target: NestedTarget, request: ConnectRequest, signal: AbortSignal): Promise<DialOutcome> {
    const outer = await this.#deps.outer.dial(target.outer, request, signal);
    if (outer.kind !== 'open') return { ...outer, at: 'gateway' };
    const inner = await this.#dialInner(target, outer.stream, request, signal);
    // G3.
    if (inner.kind !== 'open') outer.stream.destroy();
    return inner;
  }

  async #dialInner(
    { outer, innerPeers, ownNetwork }: NestedTarget,
    stream: Duplex,
    { authority, headers }: ConnectRequest,
    signal: AbortSignal,
  ): Promise<DialOutcome> {
    // Half a connection is none to TLS with HTTP/2 in it, and what is made over a stream takes this from it.
    stream.allowHalfOpen = false;
    const peerName = `${authority} behind gateway ${formatSocketAddress(outer.address)}`;
    const connection = await connectTunnel(
      { ...outer, acceptedPeers: innerPeers },
      { ...this.#options, peerName },
      { ...this.#deps, connect: () => Promise.resolve(stream) },
      signal,
    );
    if (connection.kind === 'failed') return connection;
    const { session, peer } = connection;
    const answer = session.open({ authority, headers: { ...headers, xForwardedNetwork: ownNetwork } }, signal);
    // G2.
    session.drain();
    const response = await answer;
    switch (response.kind) {
      case 'open': {
        const { stream: inner, baggage } = response;
        return { kind: 'open', stream: inner, peer, ...(baggage === undefined ? {} : { baggage }) };
      }
      case 'refused':
        return { ...response, peer };
      case 'failed': {
        // G4.
        const { unsent: _unsent, ...failure } = await explainUnanswered(session, peerName, response, this.#deps);
        session.destroy();
        return failure;
      }
    }
  }
}
