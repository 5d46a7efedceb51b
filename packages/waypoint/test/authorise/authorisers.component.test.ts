import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import type { BoundService, L7Policies, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { OpaEngine, OpaPolicy } from '@clearmesh/shared/model/l7/opa';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { serviceKey } from '@clearmesh/shared/model/names';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { Authorisers } from '../../src/authorise/authorisers.ts';
import type { BodyAccess } from '../../src/authorise/body-access.ts';
import type { Denied, Permitted } from '../../src/authorise/permit.ts';
import type { RequestFacts } from '../../src/exchange/request-facts.ts';
import { installOpa } from '@clearmesh/shared/testing/install-opa';
import { boundService } from '../bound-service.ts';
import { startOpa, temporaryDirectory } from './opa-binary.ts';
import { bodyOf, noBody, policy, request, staying } from './requests.ts';

const ledger = serviceKey('ledger', 'ledger.ledger.svc.cluster.local');
const fourEyes = join(import.meta.dirname, '../../../../examples/policies/bundles/four-eyes');

before(async function () {
  this.timeout(300_000);
  await installOpa();
});

function open(): Authorisers {
  return new Authorisers({ graceMs: 0 }, { clock: systemClock, random: systemRandom, logger: silentLogger });
}

function configuration(service: Partial<BoundService>, policies: Partial<L7Policies> = {}): WaypointConfiguration {
  const none = { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} };
  return {
    namespace: 'ledger',
    name: 'waypoint',
    environment: 'test',
    services: [boundService({ key: ledger, ...service })],
    workloads: [],
    policies: { ...none, ...policies },
  };
}

function opaPolicy(engine: OpaEngine, changes: Partial<OpaPolicy> = {}): Partial<L7Policies> {
  const key = 'OpaPolicy ledger/four-eyes';
  const body = { maxBytes: 1_024, allowPartial: false };
  const path = 'envoy/authz/allow';
  return { opa: { [key]: { key, engine, path, timeoutMs: 5_000, body, contextExtensions: {}, ...changes } } };
}

async function decide(
  authorisers: Authorisers,
  changes: Partial<RequestFacts> = {},
  body: BodyAccess = noBody,
): Promise<Permitted | Denied> {
  const authoriser = authorisers.of(ledger);
  if (authoriser === undefined) throw new Error('no authoriser');
  const asked = await authoriser.authenticate(request(changes), staying);
  if (asked.kind === 'refused') throw new Error(asked.failure.detail);
  return authoriser.authorise(asked, body, staying);
}

function booking(authorisers: Authorisers, amount: number): Promise<Permitted | Denied> {
  const headers = { 'content-type': 'application/json' };
  return decide(authorisers, { method: 'POST', path: '/entries', headers }, bodyOf(JSON.stringify({ amount })));
}

describe('the authorisers of a waypoint', () => {
  it('stand before bound services only', async () => {
    await using authorisers = open();
    authorisers.apply(configuration({}));
    expect(authorisers.of(ledger)).not.to.equal(undefined);
    expect(authorisers.of(serviceKey('other', 'other'))).to.equal(undefined);
    expect((await decide(authorisers)).kind).to.equal('permitted');
  });

  it('decide by the configuration applied last', async () => {
    await using authorisers = open();
    authorisers.apply(configuration({}));
    const deny = policy('DENY', [{}]);
    authorisers.apply(configuration({ authorization: [deny.key] }, { authorization: { [deny.key]: deny } }));
    expect((await decide(authorisers)).kind).to.equal('refused');
    authorisers.apply(configuration({}));
    expect((await decide(authorisers)).kind).to.equal('permitted');
  });

  it('let nobody pass for a policy that is named and not there', async () => {
    await using authorisers = open();
    for (const kind of ['authorization', 'jwt', 'opa'] as const) {
      authorisers.apply(configuration({ [kind]: ['Kind ledger/late'] }));
      expect((await decide(authorisers)).kind, kind).to.equal('refused');
    }
  });

  it('run the four-eyes bundle', async () => {
    await using directory = await temporaryDirectory();
    await cp(fourEyes, directory.path, { recursive: true });
    await using authorisers = open();
    const policies = opaPolicy({ kind: 'wasm', bundle: directory.path, watchdogMs: 1_000 });
    authorisers.apply(configuration({ opa: ['OpaPolicy ledger/four-eyes'] }, policies));
    await authorisers.started();
    expect((await booking(authorisers, 1_000)).kind).to.equal('permitted');
    const denied = await booking(authorisers, 1_001);
    expect(denied.kind === 'refused' && denied.failure).to.deep.include({
      kind: 'opa-denied',
      status: 403,
      body: 'an entry above 1000 needs a second approver\n',
    });
  });

  it('keep an engine that the next configuration names too', async () => {
    await using server = await startOpa({ 'p.rego': 'package envoy.authz\nallow := true' });
    await using authorisers = open();
    const named = configuration({ opa: ['OpaPolicy ledger/four-eyes'] }, opaPolicy({ kind: 'server', url: server.url }));
    authorisers.apply(named);
    expect((await decide(authorisers)).kind).to.equal('permitted');
    authorisers.apply(named);
    expect((await decide(authorisers)).kind).to.equal('permitted');
    authorisers.apply(configuration({}));
    await new Promise((resolve) => setTimeout(resolve, 20));
    authorisers.apply(named);
    expect((await decide(authorisers)).kind).to.equal('permitted');
  });

  it('refuse with 503 while OPA is gone', async () => {
    const server = await startOpa({ 'p.rego': 'package envoy.authz\nallow := true' });
    await using authorisers = open();
    authorisers.apply(
      configuration({ opa: ['OpaPolicy ledger/four-eyes'] }, opaPolicy({ kind: 'server', url: server.url }, { timeoutMs: 500 })),
    );
    expect((await decide(authorisers)).kind).to.equal('permitted');
    await server[Symbol.asyncDispose]();
    const outcome = await decide(authorisers);
    expect(outcome.kind === 'refused' && outcome.failure.kind).to.equal('pdp-unavailable');
  });

  it('refuse in the name of an OpaPolicy that cannot be read, until it can be', async () => {
    await using server = await startOpa({ 'p.rego': 'package envoy.authz\nallow := true' });
    await using authorisers = open();
    const opa = ['OpaPolicy ledger/four-eyes'];
    authorisers.apply(configuration({ opa }, opaPolicy({ kind: 'none', reason: 'it cannot be read' })));
    await authorisers.started();
    const outcome = await decide(authorisers);
    expect(outcome.kind === 'refused' && outcome.failure).to.deep.include({
      kind: 'pdp-unavailable',
      policy: 'OpaPolicy ledger/four-eyes',
      detail: `GET /accounts/42 of ${request({}).caller.identity} to ledger.ledger.svc.cluster.local has no decision of OpaPolicy ledger/four-eyes: it cannot be read`,
    });
    const connection = authorisers.of(ledger)?.authoriseOpaque(request({ method: '', path: '' }));
    expect(connection?.kind === 'refused' && connection.failure.policy).to.equal('OpaPolicy ledger/four-eyes');
    authorisers.apply(configuration({ opa }, opaPolicy({ kind: 'server', url: server.url })));
    expect((await decide(authorisers)).kind).to.equal('permitted');
  });
});
