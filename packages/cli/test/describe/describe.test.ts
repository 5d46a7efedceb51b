import { expect } from 'chai';
import { describe, it } from 'mocha';
import { derive } from '@clearmesh/control-plane/derive/derive';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';
import { describeNamespace } from '../../src/describe/namespace.ts';
import { describePod } from '../../src/describe/pod.ts';
import { describeService } from '../../src/describe/service.ts';
import { renderDescription } from '../../src/describe/description.ts';
import type { Description } from '../../src/describe/description.ts';
import type { Row } from '../../src/terminal/rows.ts';
import { plainStyle } from '../../src/terminal/style.ts';
import type { MeshView } from '../../src/mesh/mesh-view.ts';
import { authorization, bank, viewOf, waypoint } from '../mesh/bank.ts';

const view = viewOf([
  bank,
  waypoint,
  authorization('allow-payments', { rules: [{ from: [{ source: { namespaces: ['payments'] } }] }] }),
]);

function facts({ sections }: Description, title: string): Row {
  const section = sections.find((each) => each.title === title);
  return section !== undefined && 'facts' in section ? section.facts : {};
}

function rows({ sections }: Description, title: string): readonly Row[] {
  const section = sections.find((each) => each.title === title);
  return section !== undefined && 'rows' in section ? section.rows : [];
}

function pod(name: string, of: MeshView = view): Description {
  return describePod(
    of,
    of.collections.pods.find(({ metadata }) => metadata.name === name)!,
  );
}

describe('describe pod', () => {
  it('tells identity, membership and the policies that its ztunnel asks, DENY first', () => {
    const described = pod('ledger-0');
    expect(facts(described, 'Identity')['identity']).to.equal('spiffe://cluster.local/ns/ledger/sa/ledger');
    expect(facts(described, 'Mesh')['capture']).to.match(/^captured/);
    expect(rows(described, 'Policies at its ztunnel').map(({ action, policy }) => `${action} ${policy}`)).to.deep.equal([
      'DENY the default of the mesh',
      'ALLOW ledger/allow-payments',
    ]);
  });

  it('tells which Services it stands behind, and which of them lead by a waypoint', () => {
    const described = pod('ledger-0');
    expect(rows(described, 'Services it stands behind')).to.deep.equal([
      { service: 'ledger/books', ports: '80→8080' },
      { service: 'ledger/ledger', ports: '80→8080' },
    ]);
    expect(rows(described, 'Takes connections from its waypoint only')[0]?.['binding']).to.include('service ledger/books');
  });

  it('tells of a pod outside what would hold inside', () => {
    const { enrolment, capture, mTLS } = facts(pod('desk-0'), 'Mesh');
    expect([enrolment, capture, mTLS]).to.deep.equal([
      'not enrolled: neither pod nor namespace has label istio.io/dataplane-mode=ambient',
      'not captured: its traffic does not pass the mesh',
      'not in force outside of the mesh (it would be STRICT, by the default of the mesh)',
    ]);
  });
});

describe('describe service', () => {
  const service = (name: string): Description =>
    describeService(
      view,
      view.collections.services.find(({ metadata }) => metadata.name === name)!,
    );

  it('lists endpoints with what each has of the mesh', () => {
    expect(rows(service('ledger'), 'Endpoints').map((row) => `${row['pod']} ${row['ports']} ${row['mesh']}`)).to.deep.equal([
      'ledger/ledger-0 8080 captured',
      'ledger/ledger-1 8080 captured',
    ]);
  });

  it('tells how an endpoint is chosen where annotations say so', () => {
    const manifest = view.collections.services.find(({ metadata }) => metadata.name === 'ledger')!;
    const annotations = { 'clearmesh.io/load-balancing': 'least-request', 'clearmesh.io/connect-attempts': '2' };
    const annotated = { ...manifest, metadata: { ...manifest.metadata, annotations } };
    const collections = { ...view.collections, services: [annotated] };
    const model = derive(collections, view.options, 0);
    const described = describeService({ ...view, collections, model, snapshot: snapshotOf(model) }, annotated);
    expect(facts(described, 'Destination')['choice']).to.equal(
      'of two endpoints drawn, the one with fewer connections; up to 2 of them until one takes the connection',
    );
    expect(facts(service('ledger'), 'Destination')).not.to.have.property('choice');
  });

  it('tells the waypoint that is bound, and that none is', () => {
    expect(facts(service('books'), 'Destination')['waypoint']).to.equal('ledger/gate: WaypointAccepted, takes the traffic');
    expect(facts(service('ledger'), 'Destination')['waypoint']).to.equal('none is asked for calls of it');
  });
});

describe('describe namespace', () => {
  it('lists pods, Services and waypoints with their state', () => {
    const described = describeNamespace(view, 'ledger');
    expect(rows(described, 'Pods').map((row) => `${row['pod']} ${row['enrolled']} ${row['mesh']}`)).to.deep.equal([
      'gate-0 no own',
      'ledger-0 yes captured',
      'ledger-1 yes captured',
    ]);
    expect(rows(described, 'Services').find((row) => row['service'] === 'ledger')?.['endpoints']).to.equal('2/2');
    expect(rows(described, 'Waypoints')).to.deep.equal([{ gateway: 'gate', programmed: 'Unknown', message: '' }]);
  });

  it('is printed whole: sections, an empty one too', () => {
    const text = renderDescription(describeNamespace(view, 'branch'), 80, plainStyle).join('\n');
    expect(text)
      .to.match(/^Namespace branch \(a test\)/)
      .and.to.match(/Waypoints\n {2}none/);
  });
});
