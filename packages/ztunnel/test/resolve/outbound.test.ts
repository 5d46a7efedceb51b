import { expect } from 'chai';
import { describe, it } from 'mocha';
import { identity, ip, service, workload } from '@clearmesh/shared/testing/builders';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { completeLookup } from '../../src/resolve/outbound.ts';
import type { LookupRoute } from '../../src/resolve/route.ts';
import { byAddress, cases, ledger, ledgerPod, line, route, waypoint, waypointPod } from './outbound-cases.ts';

describe('resolveOutbound (section 7)', () => {
  describe('self calls (step 0)', () => {
    cases([
      ...[15001, 15006, 15008].map((port) => ({
        title: `refuses loopback port ${port}`,
        to: `127.0.0.1:${port}`,
        mesh: {},
        gives: 'refused self-call',
      })),
      { title: 'refuses IPv6 loopback', to: '[::1]:15006', mesh: {}, gives: 'refused self-call' },
      { title: 'refuses the proxy’s port at the pod’s own address', to: '10.0.0.1:15001', mesh: {}, gives: 'refused self-call' },
      { title: 'lets other loopback ports pass', to: '127.0.0.1:8080', mesh: {}, gives: 'plain 127.0.0.1:8080' },
      {
        title: 'dials port 15001 of another pod like any port',
        to: '10.0.0.2:15001',
        mesh: { workloads: [ledgerPod] },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:15001 as ledger',
      },
    ]);
  });

  describe('workloads and services (steps 2, 4, 7, 8)', () => {
    const plain = { ...ledgerPod, tunnelProtocol: 'NONE' } as const;
    cases([
      { title: 'passes an unknown address through', to: '8.8.8.8:53', mesh: {}, gives: 'plain 8.8.8.8:53' },
      {
        title: 'tunnels to an HBONE pod',
        to: '10.0.0.2:8080',
        mesh: { workloads: [ledgerPod] },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'sends plain TCP to a pod without HBONE',
        to: '10.0.0.2:8080',
        mesh: { workloads: [plain] },
        gives: 'plain 10.0.0.2:8080',
      },
      {
        title: 'takes the service port to the target port',
        to: '10.96.0.1:80',
        mesh: { services: [ledger], workloads: [ledgerPod] },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'sends plain TCP to a service’s pod without HBONE',
        to: '10.96.0.1:80',
        mesh: { services: [ledger], workloads: [plain] },
        gives: 'plain 10.0.0.2:8080',
      },
      {
        title: 'refuses an unknown service port',
        to: '10.96.0.1:81',
        mesh: { services: [ledger], workloads: [ledgerPod] },
        gives: 'refused no-healthy-upstream',
      },
      {
        title: 'refuses a service without endpoint',
        to: '10.96.0.1:80',
        mesh: { services: [ledger] },
        gives: 'refused no-healthy-upstream',
      },
      {
        title: 'accepts the service’s names beside the workload’s own, which comes first',
        to: '10.96.0.1:80',
        mesh: {
          services: [{ ...ledger, subjectAltNames: [identity('bank', 'alias'), identity('bank', 'ledger')] }],
          workloads: [ledgerPod],
        },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger|alias',
      },
      {
        title: 'does not find a pod on the host network by address',
        to: '10.0.0.2:8080',
        mesh: { workloads: [{ ...ledgerPod, networkMode: 'HOST_NETWORK' }] },
        gives: 'plain 10.0.0.2:8080',
      },
      {
        title: 'finds a pod on the host network behind its service',
        to: '10.96.0.1:80',
        mesh: { services: [ledger], workloads: [{ ...plain, networkMode: 'HOST_NETWORK' }] },
        gives: 'plain 10.0.0.2:8080',
      },
    ]);

    it('names service and workload for telemetry', () => {
      const found = route('10.96.0.1:80', { services: [ledger], workloads: [ledgerPod] });
      expect([found.service?.hostname, found.destination?.name]).to.deep.equal([ledger.hostname, 'ledger-0']);
    });

    it('says which ports a service has when the port is unknown', () => {
      const found = route('10.96.0.1:81', { services: [ledger], workloads: [ledgerPod] });
      expect(found).to.have.property('detail').that.includes('no port 81; its ports are 80');
    });
  });

  describe('PASSTHROUGH services (step 4)', () => {
    const open = {
      ...ledger,
      loadBalancing: { mode: 'PASSTHROUGH', routingPreference: [], healthPolicy: 'ONLY_HEALTHY' },
    } as const;
    cases([
      {
        title: 'keep the original address',
        to: '10.96.0.1:80',
        mesh: { services: [open], workloads: [ledgerPod] },
        gives: 'plain 10.96.0.1:80',
      },
      {
        title: 'keep it for a port they do not have',
        to: '10.96.0.1:9999',
        mesh: { services: [open] },
        gives: 'plain 10.96.0.1:9999',
      },
      {
        title: 'go through their waypoint all the same',
        to: '10.96.0.1:80',
        mesh: { services: [{ ...open, waypoint: byAddress }, waypoint], workloads: [waypointPod] },
        gives: 'waypoint 10.0.0.9:15008 for 10.96.0.1:80 as waypoint',
      },
      {
        title: 'do not strip mTLS from a pod whose address lies in their block',
        to: '10.0.0.2:8080',
        mesh: {
          services: [{ ...open, addresses: [{ network: '', ip: ip('10.0.0.0'), prefixLength: 8 }] }],
          workloads: [ledgerPod],
        },
        gives: 'direct 10.0.0.2:15008 for 10.0.0.2:8080 as ledger',
      },
      {
        title: 'answer for every other address of their block',
        to: '10.0.7.7:443',
        mesh: { services: [{ ...open, addresses: [{ network: '', ip: ip('10.0.0.0'), prefixLength: 8 }] }] },
        gives: 'plain 10.0.7.7:443',
      },
    ]);
  });
});

describe('completeLookup (section 7.2)', () => {
  const external = service({ name: 'card', hostname: 'card.example', addresses: ['240.240.0.1'], ports: { 443: 8443 } });
  const byName = (protocol: 'NONE' | 'HBONE') =>
    workload({
      name: 'card',
      addresses: [],
      hostname: 'card.example',
      tunnelProtocol: protocol,
      services: { [external.key]: { 443: 8443 } },
    });

  function lookup(protocol: 'NONE' | 'HBONE', to = '240.240.0.1:443'): LookupRoute {
    const found = route(to, { services: [external], workloads: [byName(protocol)] });
    if (found.kind !== 'lookup') throw new Error(line(found));
    return found;
  }

  it('dials an address of the preferred family', () => {
    const found = completeLookup(lookup('NONE'), [ip('fd00::5'), ip('9.9.9.9')], new FakeRandom([0]));
    expect(line(found)).to.equal('plain 9.9.9.9:8443');
    expect(found.service?.hostname).to.equal('card.example');
  });

  it('dials the other family when there is no such address', () => {
    expect(line(completeLookup(lookup('NONE'), [ip('fd00::5')], new FakeRandom()))).to.equal('plain [fd00::5]:8443');
  });

  it('draws among several addresses', () => {
    const draw = (unit: number): string =>
      line(completeLookup(lookup('NONE'), [ip('9.9.9.1'), ip('9.9.9.2')], new FakeRandom([unit])));
    expect([draw(0.1), draw(0.9)]).to.deep.equal(['plain 9.9.9.1:8443', 'plain 9.9.9.2:8443']);
  });

  it('tunnels to an HBONE workload with the found address as authority', () => {
    expect(line(completeLookup(lookup('HBONE'), [ip('9.9.9.9')], new FakeRandom()))).to.equal(
      'direct 9.9.9.9:15008 for 9.9.9.9:8443 as default',
    );
  });

  it('refuses a name without address', () => {
    const found = completeLookup(lookup('NONE'), [], new FakeRandom());
    expect(line(found)).to.equal('refused no-healthy-upstream');
  });
});
