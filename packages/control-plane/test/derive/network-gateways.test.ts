/** Gateways of other networks, and what the workloads there get of them (control-plane-contract section 9). */
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import { now } from '../fixtures/derivation.ts';
import { collectionsFrom, gatewayText, modelFrom, objectText, serviceText } from '../fixtures/manifest-text.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

const west = { 'topology.istio.io/network': 'west' };
const at = (value: string, type = 'IPAddress'): readonly object[] => [{ type, value }];
const gate = (name = 'gate', facts: Parameters<typeof gatewayText>[1] = {}): string =>
  gatewayText(name, { namespace: 'networks', className: 'istio-remote', labels: west, addresses: at('203.0.113.7'), ...facts });
/** All endpoints of a network as one, without address. */
const entry = (endpoints: readonly object[] = [{ network: 'west', serviceAccount: 'fx' }], spec: object = {}): string =>
  objectText('ServiceEntry', 'fx', {
    hosts: ['fx.example'],
    ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
    resolution: 'STATIC',
    endpoints,
    ...spec,
  });
const machine = (spec: object): string => objectText('WorkloadEntry', 'vm', { labels: { app: 'a' }, ...spec });

/** Every workload with its network and the way to it. */
function ways({ workloads }: MeshModel): readonly string[] {
  return workloads.map(({ uid, network, networkGateway: way }) => {
    const name = uid.startsWith('NetworkGateway/') ? uid : uid.split('/').slice(-2).join('/');
    if (way === undefined) return `${name} in "${network}"`;
    const place = way.kind === 'address' ? `${way.address.network}/${way.address.ip}` : `${way.namespace}/${way.hostname}`;
    return `${name} in "${network}" by ${place}:${way.hboneMtlsPort}`;
  });
}

describe('the gateway of another network', () => {
  it('is a workload with the identity of its account, and the way to those of the network', () => {
    const model = modelFrom(gate() + entry());
    expect(ways(model)).to.deep.equal([
      'fx/west in "west" by west/203.0.113.7:15008',
      'NetworkGateway/west/203.0.113.7/15008 in "west"',
    ]);
    expect(model.workloads[1]).to.deep.include({
      name: 'gate',
      namespace: 'networks',
      serviceAccount: 'gate',
      addresses: ['203.0.113.7'],
      tunnelProtocol: 'HBONE',
      status: 'HEALTHY',
    });
  });

  it('proves the account that its annotation names', () => {
    const model = modelFrom(gate('gate', { annotations: { 'gateway.istio.io/service-account': 'east-west' } }));
    expect(model.workloads[0]?.serviceAccount).to.equal('east-west');
  });

  it('is found by a name where it has no address', () => {
    const model = modelFrom(gate('gate', { addresses: at('gate.west.example', 'Hostname') }) + entry());
    expect(ways(model)).to.deep.equal([
      'fx/west in "west" by networks/gate.west.example:15008',
      'NetworkGateway/west/gate.west.example/15008 in "west"',
    ]);
    expect(model.workloads[1]).to.include({ hostname: 'gate.west.example' });
  });

  for (const className of ['istio-east-west', 'clearmesh-east-west']) {
    it(`may be of class ${className}`, () => {
      expect(ways(modelFrom(gate('gate', { className })))).to.deep.equal(['NetworkGateway/west/203.0.113.7/15008 in "west"']);
    });
  }

  it('is the way to each network by itself', () => {
    const north = gate('gate-north', { labels: { 'topology.istio.io/network': 'north' }, addresses: at('203.0.113.8') });
    const model = modelFrom(gate() + north + entry([{ network: 'west' }, { network: 'north' }]));
    expect(ways(model).slice(0, 2)).to.deep.equal([
      'fx/west in "west" by west/203.0.113.7:15008',
      'fx/north in "north" by north/203.0.113.8:15008',
    ]);
  });

  it('is the way to machines with an address, too, and to none of the own network', () => {
    const model = modelFrom(
      gate() + serviceText('a') + machine({ address: '10.0.0.9', network: 'west' }) + entry([{ address: '10.0.0.8' }]),
    );
    expect(ways(model).slice(0, 2)).to.deep.equal(['ledger/vm in "west" by west/203.0.113.7:15008', 'fx/10.0.0.8 in ""']);
  });

  it('is missing where no Gateway is of the network', () => {
    expect(ways(modelFrom(entry()))).to.deep.equal(['fx/west in "west"']);
  });

  describe('gives services the names that callers accept at the far end', () => {
    const names = (text: string): readonly string[] => modelFrom(text).services[0]?.subjectAltNames ?? [];

    it('of the accounts there, once each, beside those that were given', () => {
      const given = 'spiffe://cluster.local/ns/ledger/sa/given';
      const there = ['fx', 'fx', 'clearing'].map((serviceAccount, index) => ({
        network: 'west',
        address: `10.0.0.${index}`,
        serviceAccount,
      }));
      expect(names(gate() + entry(there, { subjectAltNames: [given] }))).to.deep.equal([
        given,
        'spiffe://cluster.local/ns/ledger/sa/clearing',
        'spiffe://cluster.local/ns/ledger/sa/fx',
      ]);
    });

    it('of machines that a Service selects', () => {
      const text = gate() + serviceText('a') + machine({ address: '', network: 'west', serviceAccount: 'vm' });
      expect(names(text)).to.deep.equal(['spiffe://cluster.local/ns/ledger/sa/vm']);
    });

    it('not of accounts that nobody named, nor of the own network, nor without a gateway', () => {
      expect(names(gate() + entry([{ network: 'west' }]))).to.deep.equal([]);
      expect(names(gate() + entry([{ address: '10.0.0.8', serviceAccount: 'fx' }]))).to.deep.equal([]);
      expect(names(entry())).to.deep.equal([]);
    });
  });

  describe('is told what it lacks', () => {
    const notes = (text: string): readonly string[] =>
      modelFrom(text).notes.map(({ object, message }) => `${object}: ${message}`);

    for (const [title, text, says] of [
      ['an address', gate('gate', { addresses: [] }), 'network west is not reached by it: spec.addresses names no address'],
      [
        'a listener for tunnels',
        gate().replace('"protocol":"HBONE"', '"protocol":"TLS"'),
        'network west is not reached by it: it has no listener of protocol HBONE',
      ],
    ] as const) {
      it(title, () => {
        expect(notes(text)).to.deep.equal([`Gateway networks/gate: ${says}`]);
        expect(modelFrom(text).workloads).to.deep.equal([]);
      });
    }

    it('that another comes before it', () => {
      const text = gate() + gate('late', { addresses: at('203.0.113.9') });
      expect(notes(text)).to.deep.equal(['Gateway networks/late: network west is reached by another Gateway, which comes first']);
      expect(ways(modelFrom(text))).to.deep.equal(['NetworkGateway/west/203.0.113.7/15008 in "west"']);
    });
  });

  describe('that can be nothing else is told that it leads nowhere', () => {
    const told = (text: string, network = 'east'): readonly string[] =>
      derive(collectionsFrom(text), { ...defaultDeriveOptions, network }, now).notes.map(
        ({ object, message }) => `${object}: ${message}`,
      );
    const eastWest = (network: string | undefined, className = 'istio-east-west'): string =>
      gate('gate', { className, labels: network === undefined ? {} : { 'topology.istio.io/network': network } });

    for (const className of ['istio-east-west', 'clearmesh-east-west']) {
      it(`of the own network, as ${className}`, () => {
        expect(told(eastWest('east', className))).to.deep.equal([
          'Gateway networks/gate: it leads to no other network: east is the own one of this mesh, whose gateway for callers of ' +
            'others is a Gateway of class clearmesh-waypoint with the same label topology.istio.io/network',
        ]);
      });
    }

    it('of no network', () => {
      const says = 'Gateway networks/gate: it leads to no network: write which one into its label topology.istio.io/network';
      expect(told(eastWest(undefined))).to.deep.equal([says]);
      expect(told(eastWest(''), '')).to.deep.equal([says]);
    });

    it('and no other: not of another network or revision, nor one that may be a waypoint elsewhere', () => {
      expect(told(eastWest('west'))).to.deep.equal([]);
      expect(told(gate('gate', { labels: { 'topology.istio.io/network': 'east' } }))).to.deep.equal([]);
      const other = { 'topology.istio.io/network': 'east', 'istio.io/rev': 'other' };
      expect(told(gate('gate', { className: 'istio-east-west', labels: other }))).to.deep.equal([]);
    });
  });

  it('is none of the own network, of another revision, or of another class', () => {
    for (const facts of [
      { labels: { 'topology.istio.io/network': '' } },
      { labels: { ...west, 'istio.io/rev': 'other' } },
      { className: 'istio' },
    ])
      expect(ways(modelFrom(gate('gate', facts)))).to.deep.equal([]);
  });
});
