import { socketAddress } from '@clearmesh/shared/testing/builders';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { connectTarget } from '@clearmesh/waypoint/accept/connect-target';
import { readConfig } from '@clearmesh/waypoint/config';
import { compilePlan } from '@clearmesh/waypoint/path/service-plan';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { plainEnvironment, plainWorld } from '../paths/plain-world.ts';

const upstream = socketAddress('127.0.0.1:8080');

describe('what the waypoint of the bench is told', () => {
  it('is a configuration that it takes, for the Gateway of its environment', () => {
    const { configuration } = plainWorld(upstream);
    expect(compilePlan(configuration, '1').kind).to.equal('compiled');
    expect(readConfig(plainEnvironment).gateway).to.deep.equal({ namespace: configuration.namespace, name: configuration.name });
  });

  it('binds the service that each connection is taken to call', () => {
    const world = plainWorld(upstream);
    const compilation = compilePlan(world.configuration, '1');
    if (compilation.kind !== 'compiled') throw new Error(compilation.reason);
    const target = connectTarget(world.authority, snapshotOf(world), compilation.compiled, '');
    expect(target).to.include({ kind: 'target', protocol: 'HTTP11' });
  });

  it('has an endpoint outside the mesh, which is called without a tunnel', () => {
    expect(plainWorld(upstream).workloads.find(({ name }) => name === 'server')).to.deep.include({
      addresses: ['127.0.0.1'],
      tunnelProtocol: 'NONE',
    });
  });

  it('names a policy of OPA only where there is one', () => {
    const policy = {
      key: 'OpaPolicy bank/authz',
      engine: { kind: 'server', url: 'http://127.0.0.1:1' } as const,
      path: 'envoy/authz/allow',
      timeoutMs: 200,
      contextExtensions: {},
    };
    expect(plainWorld(upstream).configuration.services[0]?.opa).to.deep.equal([]);
    const { configuration } = plainWorld(upstream, policy);
    expect(configuration.services[0]?.opa).to.deep.equal([policy.key]);
    expect(configuration.policies.opa[policy.key]).to.equal(policy);
  });
});
