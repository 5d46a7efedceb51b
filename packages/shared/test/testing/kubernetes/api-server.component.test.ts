import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { ApiServer } from '../../../src/testing/kubernetes/api-server.ts';
import { installDefinitions } from '../../../src/testing/kubernetes/custom-resources.ts';
import { installKubernetes } from '../../../src/testing/kubernetes/install-kubernetes.ts';

/** The programs may have to be built first. */
const buildMs = 3_600_000;

async function ended(pids: readonly number[]): Promise<void> {
  while (pids.some((pid) => existsSync(`/proc/${pid}`))) await sleep(20);
}

describe('ApiServer', function () {
  this.timeout(120_000);
  let server: ApiServer;

  before(async function () {
    this.timeout(buildMs);
    await installKubernetes(['kube-apiserver', 'kube-controller-manager', 'kubectl']);
    server = await ApiServer.start({ controllers: ['serviceaccount-controller'] });
  });

  after(() => server[Symbol.asyncDispose]());

  it('stores what is applied', async () => {
    await server.apply(
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ledger","namespace":"default"},"data":{"a":"b"}}',
    );
    expect(await server.kubectl(['get', 'configmap', 'ledger', '--output=jsonpath={.data.a}'])).to.equal('b');
  });

  it('calls itself by the version of its sources', async () => {
    const version = JSON.parse(await server.kubectl(['version', '--output=json'])) as { serverVersion: { gitVersion: string } };
    expect(version.serverVersion.gitVersion).to.match(/^v1\.37\.\d+$/);
  });

  it('lets nobody do what no role allows', async () => {
    const kubeconfig = await server.kubeconfigFor('teller', { user: 'teller', groups: ['tellers'] });
    const refused = await server.kubectl(['--kubeconfig', kubeconfig, 'get', 'secrets']).catch((error: Error) => error.message);
    expect(refused).to.include('User "teller" cannot list resource "secrets"');
    await server.kubectl(['create', 'role', 'readers', '--verb=get', '--resource=configmaps']);
    await server.kubectl(['create', 'rolebinding', 'tellers', '--role=readers', '--group=tellers']);
    const read = (): Promise<string> =>
      server.kubectl(['--kubeconfig', kubeconfig, 'get', 'configmap', 'ledger', '--output=name']).catch(() => '');
    // The API server hears of its own roles a moment later.
    while ((await read()) === '') await sleep(20);
  });

  it('gives tokens of service accounts for the audience of a mesh', async () => {
    const token = await server.kubectl(['create', 'token', 'default', '--audience=istio-ca']);
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { aud: string[]; sub: string };
    expect(claims).to.include({ sub: 'system:serviceaccount:default:default' });
    expect(claims.aud).to.deep.equal(['istio-ca']);
  });

  it('serves the Gateway API and Istio’s kinds once they are installed', async () => {
    await installDefinitions(server);
    expect(await server.kubectl(['get', 'gateways.gateway.networking.k8s.io', '--all-namespaces'])).to.equal('');
    expect(await server.kubectl(['explain', 'authorizationpolicies.spec.rules'])).to.include('security.istio.io');
  });

  it('leaves no process and no file', async () => {
    const other = await ApiServer.start();
    const { pids, directory } = other;
    expect(pids).to.have.length(2);
    await other[Symbol.asyncDispose]();
    await ended(pids);
    expect(existsSync(directory)).to.equal(false);
  });

  it('ends with its owner, however that ends', async () => {
    const owner = spawn(process.execPath, [join(import.meta.dirname, 'api-server-owner.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: owner.stdout });
    const [line] = (await once(lines, 'line')) as [string];
    const { pids, directory } = JSON.parse(line) as { pids: number[]; directory: string };
    owner.kill('SIGKILL');
    await ended(pids);
    await rm(directory, { recursive: true });
  });
});
