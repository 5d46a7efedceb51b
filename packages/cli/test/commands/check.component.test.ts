import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { runCheck } from '../../src/commands/check.ts';
import { runVersion } from '../../src/commands/version.ts';
import type { Result } from '../../src/check/result.ts';
import { Captured } from './captured-console.ts';

const system = `
apiVersion: v1
kind: Namespace
metadata: { name: clearmesh-system }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: istio-ca-root-cert, namespace: clearmesh-system }
data: { root-cert.pem: root }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: clearmesh-control-plane, namespace: clearmesh-system, labels: { app: clearmesh-control-plane } }
spec:
  replicas: 2
  selector: { matchLabels: { app: x } }
  template: { metadata: { labels: { app: x } }, spec: { containers: [{ name: x, image: x }] } }
`;

describe('clearmesh check against a cluster', () => {
  let api: ApiServer;
  before(async function () {
    this.timeout(120_000);
    api = await ApiServer.start();
  });
  after(() => api[Symbol.asyncDispose]());

  const check = async (
    pre: boolean,
    kubeconfig: string = api.kubeconfigPath,
    waitMs?: number,
  ): Promise<{ status: number; results: Map<string, Result> }> => {
    const captured = new Captured();
    const place = { kind: 'cluster', kubeconfig, systemNamespace: 'clearmesh-system' } as const;
    const status = await runCheck(
      { place, pre, output: 'json', ...(waitMs === undefined ? {} : { waitMs }) },
      captured.deps,
      AbortSignal.timeout(50_000),
    );
    const { results } = JSON.parse(captured.out) as { results: readonly Result[] };
    return { status, results: new Map(results.map((result) => [result.name, result])) };
  };

  it('finds a cluster without the Gateway API not ready for an installation', async () => {
    const { status, results } = await check(true);
    const verdicts = [...results.values()].map(({ name, verdict }) => `${name} ${verdict}`);
    expect([status, verdicts]).to.deep.equal([
      1,
      [
        'Kubernetes version ok',
        'rights to install ok',
        'Gateway API failed',
        'Istio ok',
        'Clearmesh ok',
        'policies can be read ok',
      ],
    ]);
  });

  it('waits until the definitions are there, and finds it ready; but not for somebody without rights', async function () {
    this.timeout(60_000);
    const waiting = check(true, api.kubeconfigPath, 50_000);
    await installDefinitions(api);
    expect((await waiting).status).to.equal(0);
    const nobody = await check(true, await api.kubeconfigFor('nobody', { user: 'nobody', groups: [] }));
    expect([nobody.status, nobody.results.get('rights to install')?.found]).to.satisfy(
      ([status, found]: readonly [number, string]) => status === 1 && found.startsWith('you may not create: namespaces'),
    );
  });

  it('warns before an upgrade of policies that refuse once a control plane starts, CUSTOM ones among them', async () => {
    const policy = (name: string, spec: object): string =>
      JSON.stringify({
        apiVersion: 'security.istio.io/v1',
        kind: 'AuthorizationPolicy',
        metadata: { name, namespace: 'default' },
        spec,
      });
    const rules = [{}];
    await api.apply(policy('ask', { action: 'CUSTOM', provider: { name: 'opa' }, rules }));
    await api.apply(policy('seen', { action: 'AUDIT', rules }));
    await api.apply(policy('block', { action: 'DENY', rules: [{ from: [{ source: { ipBlocks: ['10.0.0.0/99'] } }] }] }));
    const { status, results } = await check(true);
    const { verdict, found = '', hint = '' } = results.get('policies can be read') ?? {};
    expect([status, verdict]).to.deep.equal([0, 'warning']);
    for (const name of ['ask', 'block']) expect(found).to.contain(`AuthorizationPolicy default/${name}`);
    expect(found).not.to.contain('seen');
    expect(hint).to.contain('AuthorizationPolicy default/ask: spec.action CUSTOM is not enforced');
    expect(hint).to.contain('Write ALLOW or DENY. Else: Everybody is refused in namespace default until it is mended.');
    const nobody = await check(true, await api.kubeconfigFor('nobody', { user: 'nobody', groups: [] }));
    expect(nobody.results.get('policies can be read')?.verdict).to.equal('unknown');
    await api.kubectl(['delete', 'authorizationpolicy', '--all', '--namespace=default']);
  });

  it('is told the images that run by clearmesh version', async () => {
    await api.apply(system);
    const captured = new Captured();
    const place = { kind: 'cluster', kubeconfig: api.kubeconfigPath, systemNamespace: 'clearmesh-system' } as const;
    await runVersion({ version: '1.2.3', place, output: 'json' }, captured.deps, AbortSignal.timeout(20_000));
    expect(JSON.parse(captured.out)).to.deep.equal({
      version: '1.2.3',
      node: process.version,
      components: [{ component: 'clearmesh-control-plane', image: 'x' }],
    });
  });

  it('names each part that an installation lacks', async () => {
    await api.apply(system);
    const { status, results } = await check(false);
    const found = (name: string): string => `${results.get(name)?.verdict} ${results.get(name)?.found}`;
    expect(status).to.equal(1);
    expect([found('control plane'), found('ztunnels'), found('custom resources')]).to.deep.equal([
      'failed 0 of 2 ready',
      'failed not installed',
      'failed not served: clearmesh.io/v1alpha1',
    ]);
    expect(found('root certificate in every namespace')).to.equal('failed missing, or another one, in: default, kube-system');
  });
});
