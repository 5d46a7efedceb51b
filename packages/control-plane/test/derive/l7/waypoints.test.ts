import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { BoundService, WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import { decodeWaypointConfiguration, encodeWaypointConfiguration } from '@clearmesh/shared/wire/waypoint-configuration';
import { now } from '../../fixtures/derivation.ts';
import {
  configurationFrom,
  gatewayTarget,
  gatewayText,
  modelFrom,
  namespaceText,
  objectText,
  serviceTarget,
  serviceText,
} from '../../fixtures/manifest-text.ts';

const bound = { 'istio.io/use-waypoint': 'gate' };
const toGate = { ...bound, 'istio.io/use-waypoint-namespace': 'ledger' };
const base = `${gatewayText('gate', { allowed: { from: 'All' } })}${serviceText('ledger', { labels: bound })}${serviceText('fraud', { labels: bound })}`;
const namespaceTarget = { group: '', kind: 'Namespace', name: 'ledger' };
const limit = { limits: [{ name: 'all', requests: 1, window: '1s' }] };

function serviceOf(configuration: WaypointConfiguration, name: string): BoundService | undefined {
  return configuration.services.find(({ key }) => key.includes(`/${name}.`));
}

function resilienceOf(text: string, service = 'ledger'): string | undefined {
  return serviceOf(configurationFrom(`${base}${text}`, 'ledger/gate'), service)?.resilience;
}

describe('the configuration of a waypoint', () => {
  it('names its services with their TCP ports', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'grpc', port: 9090 },
      { name: 'dns', port: 53, protocol: 'UDP' },
      { port: 5432, appProtocol: 'tcp' },
    ];
    const text = `${gatewayText('gate')}${serviceText('ledger', { labels: bound, ports })}`;
    expect(configurationFrom(text, 'ledger/gate')).to.deep.equal({
      namespace: 'ledger',
      name: 'gate',
      environment: 'production',
      services: [
        {
          key: 'ledger/ledger.ledger.svc.cluster.local',
          ports: [
            { port: 80, protocol: 'HTTP11' },
            { port: 9090, protocol: 'GRPC' },
            { port: 5432, protocol: 'TCP' },
          ],
          routes: [],
          authorization: [],
          jwt: [],
          opa: [],
          rateLimits: [],
          faults: [],
        },
      ],
      workloads: [],
      policies: { authorization: {}, jwt: {}, opa: {}, resilience: {}, rateLimits: {}, faults: {} },
    });
  });

  it('exists for every waypoint, whatever is behind it, and for no other Gateway', () => {
    const text = `${gatewayText('b')}${gatewayText('a')}${gatewayText('ingress', { className: 'istio' })}`;
    expect(modelFrom(text).waypoints.map(({ name }) => name)).to.deep.equal(['a', 'b']);
  });

  const environments: readonly [string, string][] = [
    ['test', 'test'],
    ['Test', 'production'],
    ['staging', 'production'],
  ];
  for (const [label, environment] of environments) {
    it(`is of ${environment} in a namespace labelled ${label}`, () => {
      const text = `${namespaceText('ledger', { 'clearmesh.io/environment': label })}${base}`;
      expect(configurationFrom(text, 'ledger/gate').environment).to.equal(environment);
    });
  }

  it('holds a policy once, and names it at each service', () => {
    const configuration = configurationFrom(
      `${base}${objectText('RateLimitPolicy', 'p', { targetRefs: [gatewayTarget('gate')], ...limit })}`,
      'ledger/gate',
    );
    expect(Object.keys(configuration.policies.rateLimits)).to.deep.equal(['RateLimitPolicy ledger/p']);
    expect(configuration.services.map(({ rateLimits }) => rateLimits)).to.deep.equal([
      ['RateLimitPolicy ledger/p'],
      ['RateLimitPolicy ledger/p'],
    ]);
  });

  it('lacks policies for services of other waypoints, and of none', () => {
    const text = `${base}${gatewayText('other')}${serviceText('plain')}${objectText('RateLimitPolicy', 'p', { targetRefs: [serviceTarget('plain')], ...limit })}`;
    const { waypoints, reach } = modelFrom(text);
    expect(waypoints.map(({ policies }) => Object.keys(policies.rateLimits))).to.deep.equal([[], []]);
    expect([...reach.keys()]).to.deep.equal([]);
  });

  it('adds up what is attached to service, Gateway, namespace, in that order', () => {
    const policy = (name: string, target: object): string =>
      objectText('RateLimitPolicy', name, { targetRefs: [target], ...limit });
    const text = `${base}${policy('a', namespaceTarget)}${policy('b', gatewayTarget('gate'))}${policy('c', serviceTarget('ledger'))}`;
    const configuration = configurationFrom(text, 'ledger/gate');
    expect(serviceOf(configuration, 'ledger')?.rateLimits.map((key) => key.slice(-1))).to.deep.equal(['c', 'b', 'a']);
    expect(serviceOf(configuration, 'fraud')?.rateLimits.map((key) => key.slice(-1))).to.deep.equal(['b', 'a']);
  });

  it('names a policy once that reaches a service by two targets', () => {
    const targetRefs = [serviceTarget('ledger'), gatewayTarget('gate')];
    const configuration = configurationFrom(
      `${base}${objectText('OpaPolicy', 'p', { targetRefs, engine: { server: { url: 'http://o' } } })}`,
      'ledger/gate',
    );
    expect(serviceOf(configuration, 'ledger')?.opa).to.deep.equal(['OpaPolicy ledger/p']);
  });

  it('takes AuthorizationPolicies by their targets, and for the class from the root namespace', () => {
    const spec = (target: object): object => ({ targetRefs: [target], action: 'DENY', rules: [{}] });
    const ofClass = { group: 'gateway.networking.k8s.io', kind: 'GatewayClass', name: 'clearmesh-waypoint' };
    const text = `${base}${objectText('AuthorizationPolicy', 'one', spec(serviceTarget('ledger')))}${objectText('AuthorizationPolicy', 'all', spec(ofClass), { namespace: 'clearmesh-system' })}${objectText('AuthorizationPolicy', 'l4', { action: 'DENY', rules: [{}] })}`;
    const model = modelFrom(text);
    expect(model.waypoints[0]?.services.map(({ authorization }) => authorization)).to.deep.equal([
      ['AuthorizationPolicy clearmesh-system/all'],
      ['AuthorizationPolicy ledger/one', 'AuthorizationPolicy clearmesh-system/all'],
    ]);
    expect(model.policies.map(({ key }) => key))
      .to.include('ledger/l4')
      .and.not.include('ledger/one');
  });

  it('says of an AuthorizationPolicy that reaches nobody that nobody enforces it', () => {
    const spec = { targetRefs: [serviceTarget('plain')], rules: [{}] };
    const { notes } = modelFrom(`${serviceText('plain')}${objectText('AuthorizationPolicy', 'p', spec)}`);
    expect(notes.map(({ object, message }) => `${object}: ${message}`)).to.deep.equal([
      'AuthorizationPolicy ledger/p: no target of the policy is behind a waypoint, so that nobody enforces it',
    ]);
  });

  it('names services of other namespaces, and what is attached there', () => {
    const far = { namespace: 'bank' };
    const text = `${base}${serviceText('far', { ...far, labels: toGate })}${objectText('RateLimitPolicy', 'p', { targetRefs: [serviceTarget('far')], ...limit }, far)}`;
    expect(serviceOf(configurationFrom(text, 'ledger/gate'), 'far')?.rateLimits).to.deep.equal(['RateLimitPolicy bank/p']);
  });

  it('is read by its receiver as it was derived', () => {
    const route = objectText('HTTPRoute', 'r', {
      parentRefs: [serviceTarget('ledger')],
      rules: [{ backendRefs: [{ name: 'fraud', port: 80 }, { name: 'x' }] }],
    });
    const configuration = configurationFrom(
      `${base}${route}${objectText('ResiliencePolicy', 'p', { targetRefs: [gatewayTarget('gate')], circuitBreaker: {} })}`,
      'ledger/gate',
    );
    expect(decodeWaypointConfiguration(encodeWaypointConfiguration(configuration))).to.deep.equal({
      kind: 'configuration',
      configuration,
    });
  });
});

describe('the ResiliencePolicy of a service', () => {
  const policy = (name: string, target: object, creationTimestamp?: string): string =>
    objectText('ResiliencePolicy', name, { targetRefs: [target] }, creationTimestamp === undefined ? {} : { creationTimestamp });
  const ofService = serviceTarget('ledger');
  const ofGateway = gatewayTarget('gate');

  it('is the one attached to the service, before that of its Gateway, before that of its namespace', () => {
    const [a, b, c] = [policy('a', namespaceTarget), policy('b', ofGateway), policy('c', ofService)];
    expect(resilienceOf(`${a}${b}${c}`)).to.equal('ResiliencePolicy ledger/c');
    expect(resilienceOf(`${a}${b}`)).to.equal('ResiliencePolicy ledger/b');
    expect(resilienceOf(a)).to.equal('ResiliencePolicy ledger/a');
    expect(resilienceOf(`${a}${c}`, 'fraud')).to.equal('ResiliencePolicy ledger/a');
    expect(resilienceOf('')).to.equal(undefined);
  });

  it('is the older of two, and of equal age the first by name', () => {
    const [older, younger] = ['2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z'];
    expect(resilienceOf(`${policy('a', ofService, younger)}${policy('b', ofService, older)}`)).to.equal(
      'ResiliencePolicy ledger/b',
    );
    expect(resilienceOf(`${policy('b', ofService, older)}${policy('a', ofService, older)}`)).to.equal(
      'ResiliencePolicy ledger/a',
    );
  });

  it('is sent alone: one that is never in force is not', () => {
    const text = `${base}${policy('a', ofService)}${policy('b', ofService)}`;
    expect(Object.keys(configurationFrom(text, 'ledger/gate').policies.resilience)).to.deep.equal(['ResiliencePolicy ledger/a']);
  });
});

describe('a FaultExperiment', () => {
  const test = { 'clearmesh.io/environment': 'test' };
  const spec = { startsAt: '2026-01-01T00:00:00Z', owner: 'ann', approver: 'ben', delay: '1s' };
  const experiment = objectText('FaultExperiment', 'p', { targetRefs: [gatewayTarget('gate')], ...spec });
  const text = `${namespaceText('ledger', test)}${namespaceText('bank')}${base}${serviceText('far', { namespace: 'bank', labels: toGate })}${experiment}`;

  it('never reaches a service outside a test environment, whatever Gateway is before it', () => {
    const { services } = configurationFrom(text, 'ledger/gate');
    expect(services.map(({ key, faults }) => `${key.split('/')[0]} ${faults.length}`)).to.deep.equal([
      'bank 0',
      'ledger 1',
      'ledger 1',
    ]);
  });

  it('is gone at the moment it ends, and that moment is told', () => {
    const end = now + 15 * 60_000;
    expect(modelFrom(text, [], end - 1).changesAtMs).to.equal(end);
    expect(Object.keys(configurationFrom(text, 'ledger/gate', end - 1).policies.faults)).to.have.length(1);
    expect(Object.keys(configurationFrom(text, 'ledger/gate', end).policies.faults)).to.have.length(0);
    expect(modelFrom(text, [], end).changesAtMs).to.equal(undefined);
  });
});
