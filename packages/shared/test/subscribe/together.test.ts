/** Client and server machines against each other, through any sequence of changes, losses and refusals. */
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { DeltaClient } from '@clearmesh/shared/subscribe/delta-client';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-client';
import { DeltaServerStream } from '@clearmesh/shared/subscribe/delta-server';
import type { ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { proxyNode } from '@clearmesh/shared/subscribe/proxy-node';
import type { DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { published } from './messages.ts';

type Step =
  | { readonly kind: 'publish'; readonly addresses: Record<string, string>; readonly policies: Record<string, string> }
  | { readonly kind: 'deliver' | 'reconnect' };

class Pair {
  readonly client = new DeltaClient({ node: proxyNode({ podName: 'p', podNamespace: 'n', nodeName: 'x' }) });
  readonly held = new Map<string, string>();
  #resources: ResourceSet = published({});
  #server = new DeltaServerStream();
  #wire: DeltaDiscoveryResponse[] = [];
  mostInFlight = 0;

  publish(addresses: Record<string, string>, policies: Record<string, string>): void {
    this.#resources = published(addresses, policies);
    this.#send(this.#server.publish(this.#resources));
  }

  /** What is on the wire is lost. */
  reconnect(): void {
    this.#server = new DeltaServerStream();
    this.#wire = [];
    for (const request of this.client.connected()) this.#send(this.#server.recvRequest(request, this.#resources));
  }

  deliver(): boolean {
    const response = this.#wire.shift();
    if (response === undefined) return false;
    const answer = this.client.recvResponse(response, (push) => this.#apply(push));
    this.#send(this.#server.recvRequest(answer, this.#resources));
    return true;
  }

  #send(responses: readonly DeltaDiscoveryResponse[]): void {
    this.#wire.push(...responses);
    this.mostInFlight = Math.max(this.mostInFlight, this.#wire.length);
  }

  #apply(push: DeltaPush): readonly Rejection[] {
    for (const name of push.removed) this.held.delete(name);
    return push.upserts.flatMap(({ name, value }) => {
      const content = new TextDecoder().decode(value);
      if (content.startsWith('bad')) return [{ name, reason: content }];
      this.held.set(name, content);
      return [];
    });
  }
}

const content = fc.constantFrom('one', 'two', 'bad', 'bad2');
const resources = (prefix: string): fc.Arbitrary<Record<string, string>> =>
  fc.dictionary(fc.constantFrom(`${prefix}a`, `${prefix}b`, `${prefix}c`), content, { noNullPrototype: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('publish' as const), addresses: resources('w'), policies: resources('p') }),
  fc.record({ kind: fc.constantFrom('deliver' as const, 'deliver' as const, 'reconnect' as const) }),
);

describe('client and server of delta discovery', () => {
  it('agree once the wire is empty, except on what the client refuses', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), resources('w'), resources('p'), (steps, addresses, policies) => {
        const pair = new Pair();
        pair.reconnect();
        for (const taken of steps) {
          if (taken.kind === 'publish') pair.publish(taken.addresses, taken.policies);
          else if (taken.kind === 'reconnect') pair.reconnect();
          else pair.deliver();
        }
        pair.publish(addresses, policies);
        for (let delivered = 0; pair.deliver(); delivered += 1) expect(delivered).to.be.lessThan(10);
        for (const [name, text] of Object.entries({ ...addresses, ...policies })) {
          if (!text.startsWith('bad')) expect(pair.held.get(name)).to.equal(text);
        }
        for (const name of pair.held.keys()) expect({ ...addresses, ...policies }).to.have.property(name);
        expect(pair.mostInFlight).to.be.at.most(2);
      }),
      { numRuns: 500 },
    );
  });
});
