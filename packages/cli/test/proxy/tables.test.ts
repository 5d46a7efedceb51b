import { expect } from 'chai';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import fc from 'fast-check';
import { dumpCertificate } from '@clearmesh/ztunnel/admin/certificate-dump';
import { dumpSnapshot } from '@clearmesh/ztunnel/admin/config-dump';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { identity } from '@clearmesh/shared/testing/builders';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { runProxy } from '../../src/commands/proxy.ts';
import { parseDump } from '../../src/proxy/dump.ts';
import { proxyColumns, proxyRows } from '../../src/proxy/tables.ts';
import type { ProxySubject, Selection } from '../../src/proxy/tables.ts';
import { authorization, bank, nowMs, viewOf, waypoint } from '../mesh/bank.ts';
import { Captured } from '../commands/captured-console.ts';

const view = viewOf([
  bank,
  waypoint,
  authorization('allow-payments', { rules: [{ from: [{ source: { namespaces: ['payments'] } }] }] }),
]);
const authority = await TestAuthority.create();
const issued = await authority.issue({ uris: [identity('ledger', 'ledger')] });

/** As a ztunnel of this mesh writes it: by its own functions. */
function dumpText(): string {
  const ledger = view.collections.pods.find(({ metadata }) => metadata.name === 'ledger-0')?.status?.podIP;
  const payments = view.collections.pods.find(({ metadata }) => metadata.name === 'payments-0')?.status?.podIP;
  return JSON.stringify({
    ...dumpSnapshot(view.snapshot),
    certificates: [
      dumpCertificate({
        identity: identity('ledger', 'ledger'),
        state: 'Available',
        chain: [issued.certPem],
        roots: [authority.rootPem],
      }),
      dumpCertificate({ identity: identity('ledger', 'late'), state: 'Initializing', chain: [], roots: [] }),
    ],
    workloadState: {
      one: {
        state: 'Up',
        info: { namespace: 'ledger', name: 'ledger-0', serviceAccount: 'ledger' },
        connections: {
          inbound: [{ src: `${payments}:4001`, originalDst: null, actualDst: `${ledger}:8080`, protocol: 'HBONE' }],
          outbound: [],
        },
        status: {
          workload: 'Kubernetes//Pod/ledger/ledger-0',
          listeners: [15_001, 15_006, 15_008],
          dns: true,
          connections: { inbound: 7, outbound: 2 },
          lastFailure: { time: '', direction: 'inbound', error: 'no application' },
        },
      },
      two: {
        state: 'Up',
        info: { namespace: 'payments', name: 'payments-0', serviceAccount: 'payments' },
        connections: {
          inbound: [],
          outbound: [{ src: `${payments}:4000`, originalDst: '10.96.0.20:80', actualDst: `${ledger}:8080`, protocol: 'HBONE' }],
        },
      },
      three: {
        state: 'Pending',
        info: { namespace: 'ledger', name: 'ledger-1', serviceAccount: 'late' },
        status: { workload: null, listeners: [], lastFailure: { error: 'port 15006 is taken' } },
      },
    },
  });
}

function rows(subject: ProxySubject, selection: Selection = {}): readonly (readonly string[])[] {
  return proxyRows(subject, parseDump(dumpText(), 'a test'), selection, nowMs).map((row) => {
    expect(Object.keys(row)).to.deep.equal(proxyColumns[subject]);
    return Object.values(row);
  });
}

describe('tables of clearmesh proxy', () => {
  it('list workloads with node, waypoint and protocol', () => {
    const ledger = rows('workloads', { namespace: 'ledger' }).map(([namespace, name, , node, gateway, protocol]) => [
      namespace,
      name,
      node,
      gateway,
      protocol,
    ]);
    expect(ledger).to.deep.equal([
      ['ledger', 'gate-0', '', 'None', 'HBONE'],
      ['ledger', 'ledger-0', 'node-b', 'None', 'HBONE'],
      ['ledger', 'ledger-1', 'node-b', 'None', 'HBONE'],
    ]);
    expect(rows('workloads', { namespace: 'branch' })[0]?.at(-1)).to.equal('TCP');
  });

  it('list services with address, waypoint and endpoints that are healthy', () => {
    expect(rows('services')).to.deep.equal([
      ['ledger', 'books', '10.96.0.30', 'gate', '2/2'],
      ['ledger', 'gate', '', 'None', '1/1'],
      ['ledger', 'ledger', '10.96.0.20', 'None', '2/2'],
    ]);
    expect(rows('services', { address: '10.96.0.30' })).to.have.length(1);
  });

  it('list policies', () => {
    expect(rows('policies')).to.deep.equal([
      ['clearmesh-system', 'istio_converted_static_strict', 'Deny', 'WorkloadSelector'],
      ['ledger', 'allow-payments', 'Allow', 'Namespace'],
    ]);
  });

  it('list each certificate of a chain, and an identity that has none yet', () => {
    expect(rows('certificates').map(([name, type, status]) => [name, type, status])).to.deep.equal([
      [identity('ledger', 'ledger'), 'Leaf', 'Available'],
      [identity('ledger', 'ledger'), 'Root', 'Available'],
      [identity('ledger', 'late'), 'Leaf', 'Initializing'],
    ]);
  });

  it('say whether a certificate is valid now', () => {
    const dump = parseDump(dumpText(), 'a test');
    const valid = (at: number): readonly (string | undefined)[] =>
      proxyRows('certificates', dump, {}, at).map((row) => row['valid cert']);
    expect([valid(Date.now() + 1000), valid(0)]).to.deep.equal([
      ['true', 'true', 'false'],
      ['false', 'false', 'false'],
    ]);
  });

  it('list connections by name, and by address where that is asked for', () => {
    expect(rows('connections').map((row) => [...row])).to.deep.equal([
      ['ledger/ledger-0', 'Inbound', 'ledger-0.ledger:8080', 'payments-0.payments:4001', '', 'HBONE'],
      ['payments/payments-0', 'Outbound', 'payments-0.payments:4000', 'ledger-0.ledger:8080', 'ledger.ledger:80', 'HBONE'],
    ]);
    expect(rows('connections', { raw: true, direction: 'outbound' })[0]?.[4]).to.equal('10.96.0.20:80');
    expect(rows('connections', { namespace: 'payments' })).to.have.length(1);
  });

  it('list how each pod fares, and of another make’s ztunnel what it tells', () => {
    expect(rows('pods')).to.deep.equal([
      ['ledger', 'ledger-0', 'Up', '15001,15006,15008,dns', 'Available', '7', '2', 'no application'],
      ['ledger', 'ledger-1', 'Pending, unknown to the control plane', 'None', 'Initializing', '0', '0', 'port 15006 is taken'],
      ['payments', 'payments-0', 'Up', '', 'None', '0', '1', ''],
    ]);
    expect(rows('pods', { namespace: 'payments' })).to.have.length(1);
  });

  it('never fail on JSON that is no dump', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(
          typeof value === 'object' ? { workloads: value, services: value, certificates: [value], workloadState: value } : value,
        );
        try {
          const dump = parseDump(text, 'a test');
          for (const subject of Object.keys(proxyColumns) as ProxySubject[]) proxyRows(subject, dump, {}, nowMs);
        } catch (error) {
          expect(error).to.be.instanceOf(MeshError);
        }
      }),
    );
  });
});

describe('clearmesh proxy -f', () => {
  const place = { kind: 'cluster', systemNamespace: 'clearmesh-system' } as const;

  it('prints the table of a file, and what ztunnel said as JSON', async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'clearmesh-dump-'));
    const file = join(directory.path, 'dump.json');
    await writeFile(file, dumpText());
    const [table, json] = [new Captured(), new Captured()];
    const options = { subject: 'services', file, place, selection: {}, port: 15_000 } as const;
    await runProxy({ ...options, output: 'table' }, table.deps, AbortSignal.timeout(5000));
    await runProxy({ ...options, output: 'json' }, json.deps, AbortSignal.timeout(5000));
    expect(table.out.split('\n').slice(0, 2)).to.deep.equal([
      'NAMESPACE  SERVICE NAME  SERVICE VIP  WAYPOINT  ENDPOINTS',
      'ledger     books         10.96.0.30   gate      2/2',
    ]);
    expect(JSON.parse(json.out)).to.have.nested.property('[0].services[0].hostname', 'books.ledger.svc.cluster.local');
  });

  it('says what a file must be', async () => {
    const options = {
      subject: 'services',
      file: import.meta.filename,
      place,
      selection: {},
      port: 15_000,
      output: 'table',
    } as const;
    const error = await runProxy(options, new Captured().deps, AbortSignal.timeout(5000)).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError).with.property('message').that.includes('is no configuration of a ztunnel');
  });
});
