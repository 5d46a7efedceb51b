import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import type { Clock } from '../../src/lifecycle/clock.ts';
import type { TunnelEngine } from '../../src/tunnel/engine.ts';
import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { bounded } from './bounded.ts';
import { describeFlow } from './compliance/flow.ts';
import { never, openRig } from './compliance/rig.ts';
import type { CreateEngine } from './compliance/rig.ts';
import { describeSessions } from './compliance/sessions.ts';
import { describeStreams } from './compliance/streams.ts';
import { describeEngine } from './engine-compliance.ts';

describeEngine('framed', (deps) => new FramedEngine(deps));

/** An engine whose connections are one's as client and another's as server. */
function mixed(client: CreateEngine, server: CreateEngine): CreateEngine {
  return (deps): TunnelEngine => ({
    name: 'mixed',
    inner: client(deps),
    connect: (transport, settings) => client(deps).connect(transport, settings),
    serve: (transport, settings, onConnect) => server(deps).serve(transport, settings, onConnect),
  });
}

const framed = (deps: { readonly clock: Clock }) => new FramedEngine(deps);
const node = (deps: { readonly clock: Clock }) => new NodeHttp2Engine(deps);

for (const [what, create] of [
  ['framed as client, node:http2 as server', mixed(framed, node)],
  ['node:http2 as client, framed as server', mixed(node, framed)],
] as const) {
  describe(`tunnel engines of two kinds: ${what}`, () => {
    describeStreams(create);
    describeFlow(create);
    describeSessions(create);

    it('carry any values of headers, request after request', async () => {
      await using rig = await openRig(create);
      const value = fc.stringMatching(/^[\x21-\x7e\xa1-\xff]([\x20-\x7e]{0,80}[\x21-\x7e])?$/);
      const headers = fc.record({ baggage: value, forwarded: value, traceparent: value, caller: value }, { requiredKeys: [] });
      await fc.assert(
        fc.asyncProperty(headers, value, async (sent, answer) => {
          const opening = rig.client.open({ authority: '10.0.0.1:80', headers: sent }, never);
          const incoming = await rig.next();
          expect(incoming.headers).to.deep.equal(sent);
          incoming.accept({ baggage: answer });
          const response = await bounded(opening, 'response');
          expect(response).to.include({ kind: 'open', baggage: answer });
          if (response.kind === 'open') response.stream.destroy();
        }),
        { numRuns: 200 },
      );
    });
  });
}
