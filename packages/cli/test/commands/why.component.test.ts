import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { readFile } from 'node:fs/promises';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { runWhy } from '../../src/commands/why.ts';
import { bank } from '../mesh/bank.ts';
import { Captured } from './captured-console.ts';

const policy = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: never-payments, namespace: ledger }
spec: { action: DENY, rules: [{ from: [{ source: { principals: [bank.example/ns/payments/sa/payments] } }] }] }
`;

/** With a trust domain of its own, which only its arguments tell. */
const controlPlane = `
apiVersion: v1
kind: Namespace
metadata: { name: clearmesh-system }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: clearmesh-control-plane, namespace: clearmesh-system }
spec:
  selector: { matchLabels: { app: clearmesh-control-plane } }
  template:
    metadata: { labels: { app: clearmesh-control-plane } }
    spec: { containers: [{ name: control-plane, image: x, args: [serve, --kubernetes, --trust-domain=bank.example] }] }
`;

describe('clearmesh why against a cluster', () => {
  let api: ApiServer;
  before(async function () {
    this.timeout(120_000);
    api = await ApiServer.start();
    await installDefinitions(api);
    // An API server wants containers with images, and takes no status with an object.
    const images = bank
      .replaceAll(/ports: \[\{ containerPort/g, 'name: app, image: x, ports: [{ containerPort')
      .replace('nodeName: node-a }', 'nodeName: node-a, containers: [{ name: app, image: x }] }');
    await api.apply([images, policy, controlPlane].join('\n---\n'));
    for (const [index, [namespace, name]] of [
      ['payments', 'payments-0'],
      ['ledger', 'ledger-0'],
      ['ledger', 'ledger-1'],
      ['branch', 'desk-0'],
    ].entries()) {
      const status = {
        phase: 'Running',
        podIP: `10.244.1.${index + 1}`,
        podIPs: [{ ip: `10.244.1.${index + 1}` }],
        conditions: [{ type: 'Ready', status: 'True' }],
      };
      await api.kubectl([
        'patch',
        'pod',
        '-n',
        namespace ?? '',
        name ?? '',
        '--subresource=status',
        '--type=merge',
        '-p',
        JSON.stringify({ status }),
      ]);
      if (namespace !== 'branch')
        await api.kubectl(['annotate', 'pod', '-n', namespace ?? '', name ?? '', 'ambient.istio.io/redirection=enabled']);
    }
  });
  after(() => api[Symbol.asyncDispose]());

  const why = async (
    from: string,
    to: string,
    kubeconfig: string,
    context?: string,
  ): Promise<{ status: number; out: string }> => {
    const captured = new Captured();
    const place = {
      kind: 'cluster',
      kubeconfig,
      systemNamespace: 'clearmesh-system',
      ...(context === undefined ? {} : { context }),
    } as const;
    const status = await runWhy({ from, to, output: 'table', place }, captured.deps, AbortSignal.timeout(20_000));
    return { status, out: captured.out };
  };

  it('names the policy that refuses, by the trust domain of the control plane', async () => {
    const { status, out } = await why('payments/payments-0', 'ledger/ledger', api.kubeconfigPath);
    expect([status, out.split('\n')[0]]).to.deep.equal([1, 'REFUSED  payments/payments-0 → ledger/ledger:80']);
    expect(out)
      .to.include('rule 0 of AuthorizationPolicy ledger/never-payments (DENY) matches')
      .and.to.include('spiffe://bank.example/ns/payments');
  });

  it('allows the callers that no policy keeps out', async () => {
    expect((await why('ledger/ledger-0', 'ledger/ledger', api.kubeconfigPath)).status).to.equal(0);
  });

  it('tells who may not look what is missing, and what to do', async () => {
    const nobody = await api.kubeconfigFor('nobody', { user: 'nobody', groups: [] });
    const error = await why('payments/payments-0', 'ledger/ledger', nobody).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError).with.property('code', 'MESH-KUBE-001');
    expect((error as MeshError).explain()).to.match(/cannot be listed: 403 .*\n.*Ask for this right/);
  });

  it('is told everything by the role of docs/CLI.md', async () => {
    const page = await readFile(new URL('../../../../docs/CLI.md', import.meta.url), 'utf8');
    const role = /```yaml\n(?<yaml>apiVersion: rbac[\s\S]*?)```/.exec(page)?.groups?.['yaml'] ?? '';
    await api.apply(role);
    await api.kubectl(['create', 'clusterrolebinding', 'lookers', '--clusterrole=clearmesh-viewer', '--group=lookers']);
    const looker = await api.kubeconfigFor('looker', { user: 'looker', groups: ['lookers'] });
    const { status, out } = await why('payments/payments-0', 'ledger/ledger', looker);
    expect([status, out.includes('may not be read')]).to.deep.equal([1, false]);
  });

  it('names the contexts there are where one is asked for that is not', async () => {
    const error = await why('payments/payments-0', 'ledger/ledger', api.kubeconfigPath, 'elsewhere').catch(
      (thrown: unknown) => thrown,
    );
    expect(error)
      .to.be.instanceOf(MeshError)
      .with.property('message')
      .that.matches(/there is no context elsewhere; there is /);
  });
});
