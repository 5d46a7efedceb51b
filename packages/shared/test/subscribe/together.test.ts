/** Client and server machines against each other, through any sequence of changes, losses and refusals. */
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { DeltaClient } from '@clearmesh/shared/subscribe/delta-client';
import type { DeltaPush, Rejection } from '@clearmesh/shared/subscribe/delta-client';
import { DeltaServerStream } from '@clearmesh/shared/subscribe/delta-server';
import { namedBy, withMembers } from '@clearmesh/shared/subscribe/resource-set';
import type { ResourceSet } from '@clearmesh/shared/subscribe/resource-set';
import { proxyNode } from '@clearmesh/shared/subscribe/proxy-node';
import type { DeltaDiscoveryResponse } from '@clearmesh/shared/wire/gen/xds/discovery_pb';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { published } from './messages.ts';

type Step =
  | { readonly kind: 'publish'; readonly addresses: Record<string, string>; readonly policies: Record<string, string> }
  | { readonly kind: 'deliver' | 'reconnect' };

class Pair {
  readonly client: DeltaClient;
  readonly held = new Map<string, string>();
  #resources: ResourceSet = published({});
  #server = new DeltaServerStream();
  #wire: DeltaDiscoveryResponse[] = [];
  mostInFlight = 0;

  constructor(onDemand = false) {
    this.client = new DeltaClient({ node: proxyNode({ podName: 'p', podNamespace: 'n', nodeName: 'x' }), onDemand });
  }

  get published(): ResourceSet {
    return this.#resources;
  }

  /** Tells what was asked for and given up since. */
  tell(): void {
    const request = this.client.takeRequest();
    if (request !== undefined) this.#send(this.#server.recvRequest(request, this.#resources));
  }

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

describe('client and server of delta discovery on demand', () => {
  const names = ['w/a', 'w/b', 'w/svc', 'net/10.0.0.1', 'net/10.0.0.2', 'net/10.96.0.1', 'net/10.65.0.1'];
  const aliases = fc
    .subarray(['net/10.0.0.1', 'net/10.0.0.2', '>w/svc'])
    .map((chosen) => chosen.map((each) => `|${each}`).join(''));
  const addresses = fc.record(
    {
      'w/a': fc.tuple(content, aliases).map((parts) => parts.join('')),
      'w/b': fc.tuple(content, aliases).map((parts) => parts.join('')),
      'w/svc': fc.constantFrom('s1|net/10.96.0.1', 's2|net/10.96.0.1', 's1|net/10.64.0.0/10'),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  const onDemandStep = fc.oneof(
    fc.record({ kind: fc.constant('publish' as const), addresses }),
    fc.record({ kind: fc.constantFrom('ask' as const, 'ask' as const, 'give up' as const), name: fc.constantFrom(...names) }),
    fc.record({ kind: fc.constantFrom('deliver' as const, 'deliver' as const, 'tell' as const, 'reconnect' as const) }),
  );

  it('agree on every name that is asked for, answer each, and hold nothing that is out of date', () => {
    fc.assert(
      fc.property(fc.array(onDemandStep, { maxLength: 40 }), addresses, (steps, last) => {
        const pair = new Pair(true);
        const asked = new Set<string>();
        pair.reconnect();
        for (const taken of steps) {
          if (taken.kind === 'publish') pair.publish(taken.addresses, {});
          else if (taken.kind === 'ask') {
            asked.add(taken.name);
            pair.client.ask(taken.name);
          } else if (taken.kind === 'give up') {
            asked.delete(taken.name);
            pair.client.giveUp(taken.name);
          } else if (taken.kind === 'reconnect') pair.reconnect();
          else if (taken.kind === 'tell') pair.tell();
          else pair.deliver();
        }
        pair.publish(last, {});
        pair.tell();
        for (let delivered = 0; pair.deliver(); delivered += 1) expect(delivered).to.be.lessThan(10);
        const text = (name: string): string => (last as Record<string, string>)[name]?.split('|')[0] ?? '';
        const resources = pair.published.get(ADDRESS_TYPE_URL) ?? new Map();
        for (const name of asked) {
          expect(pair.client.stateOf(name)).to.equal('answered');
          for (const found of withMembers(resources, namedBy(resources, name)))
            if (!text(found).startsWith('bad')) expect(pair.held.get(found)).to.equal(text(found));
        }
        for (const [name, value] of pair.held) {
          expect(last).to.have.property(name);
          if (!text(name).startsWith('bad')) expect(value).to.equal(text(name));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
