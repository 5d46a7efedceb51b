/** Each way that a connection may take in a cluster: into the mesh, within it, out of it; and what the command tells of it. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { nodes, outsideIp } from '@clearmesh/cluster/plan';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { MeshCluster } from '../harness/mesh-cluster.ts';
import type { KubernetesObject } from '../harness/kubectl.ts';
import { runProgram } from '../harness/run-program.ts';

const mesh = 'clearmesh-system';
const outsidePort = 18_080;
const nodePort = 30_080;

describe('ways of a connection in a cluster', function () {
  this.timeout(120_000);
  this.bail(true);
  let world: MeshCluster;
  let calledIp = '';

  before(async function () {
    this.timeout(900_000);
    world = await MeshCluster.up((line) => console.log(`      ${line}`));
    await world.helm(['install', 'clearmesh', 'charts/clearmesh', '-n', mesh, '--create-namespace', '--wait']);
    await world.kubectl.run(['apply', '-f', join(import.meta.dirname, 'manifests/ways.yaml')]);
    for (const namespace of ['ways', 'outside']) await world.kubectl.rolledOut(namespace);
    calledIp = addressOf((await world.kubectl.get('pods', 'ways', 'app=called'))[0]);
  });
  after(async function () {
    this.timeout(120_000);
    await world?.[Symbol.asyncDispose]();
  });

  /** The status of an answer, or `no answer`. */
  async function fromPod(namespace: string, workload: string, url: string): Promise<string> {
    const program = `process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; process.removeAllListeners('warning');
      const signal = AbortSignal.timeout(5000);
      console.log(await fetch('${url}', { signal }).then((answer) => answer.status, () => 'no answer'));`;
    const { stdout, stderr } = await world.kubectl.exec(namespace, `deploy/${workload}`, [
      'node',
      '--input-type=module',
      '-e',
      program,
    ]);
    return stdout.trim() || stderr;
  }

  async function fromHost(machine: string, url: string): Promise<string> {
    const curl = ['curl', '-s', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', url];
    const { stdout } = await runProgram(['ip', 'netns', 'exec', `cm-cluster-${machine}`, ...curl]);
    return stdout === '000' ? 'no answer' : stdout;
  }

  /** What ztunnel of the called pod's node logged of connections to it. */
  async function inboundLines(): Promise<readonly string[]> {
    const ztunnels = await world.kubectl.get('pods', mesh, 'app=ztunnel');
    const there = ztunnels.find((pod) => pod.spec?.['nodeName'] === 'vault-b')?.metadata.name ?? '';
    const log = await world.kubectl.run(['-n', mesh, 'logs', there]);
    return log.split('\n').filter((line) => line.includes('inbound'));
  }

  const permissive = (until: string): Promise<void> =>
    world.kubectl.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: moving-in, namespace: ways, annotations: { clearmesh.io/permissive-until: '${until}' } }
spec: { mtls: { mode: PERMISSIVE } }`);

  /** Asks until the answer is the wanted one, since what the control plane is told takes a moment to be in force. */
  async function eventually(wanted: string, ask: () => Promise<string>): Promise<void> {
    expect(await askUntil((answer) => answer === wanted, ask)).to.equal(wanted);
  }

  it('within the mesh: a Service, a headless Service and a pod’s address are reached through tunnels', async () => {
    const urls = ['http://called.ways', 'http://headless.ways:8080', `http://${calledIp}:8080`].map((url) => `${url}/hello`);
    const answers = await Promise.all(urls.map((url) => fromPod('ways', 'caller', url)));
    expect(answers).to.deep.equal(['200', '200', '200']);
    const tunnels = (await inboundLines()).filter((line) => line.includes('spiffe://cluster.local/ns/ways/sa/default'));
    expect(tunnels.length).to.be.at.least(3);
  });

  it('into the mesh in plaintext: refused to pods, to other nodes and through a NodePort', async () => {
    expect(await fromPod('outside', 'stranger', `http://${calledIp}:8080/hello`), 'pod').to.equal('no answer');
    expect(await fromPod('outside', 'stranger', 'http://called.ways/hello'), 'Service').to.equal('no answer');
    expect(await fromHost('vault-a', `http://${calledIp}:8080/hello`), 'another node').to.equal('no answer');
    for (const { name, ip } of nodes)
      expect(await fromHost('control', `http://${ip}:${nodePort}/hello`), `NodePort at ${name}`).to.equal('no answer');
  });

  it('into the mesh from the pod’s own node: answered, as its probes have to be', async () => {
    expect(await fromHost('vault-b', `http://${calledIp}:8080/hello`)).to.equal('200');
  });

  it('into the mesh in plaintext where PERMISSIVE allows it for a time: answered', async () => {
    await permissive('2099-12-31');
    await eventually('200', () => fromPod('outside', 'stranger', 'http://called.ways/hello'));
    for (const { name, ip } of nodes) {
      expect(await fromHost(name, `http://${calledIp}:8080/hello`), `${name} to pod`).to.equal('200');
      expect(await fromHost('control', `http://${ip}:${nodePort}/hello`), `NodePort at ${name}`).to.equal('200');
    }
  });

  it('into the mesh in plaintext after the last day of PERMISSIVE: refused again', async () => {
    await permissive('2020-12-31');
    await eventually('no answer', () => fromPod('outside', 'stranger', 'http://called.ways/hello'));
  });

  it('out of the mesh: the API server, a pod that is not enrolled and a server outside of the cluster are reached', async () => {
    const server = createServer((_request, response) => response.end('outside')).listen(outsidePort, outsideIp);
    await once(server, 'listening');
    try {
      const urls = ['https://kubernetes.default/version', 'http://stranger.outside/hello', `http://${outsideIp}:${outsidePort}/`];
      const answers = await Promise.all(urls.map((url) => fromPod('ways', 'caller', url)));
      expect(answers).to.deep.equal(['200', '200', '200']);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it('a policy that contradicts itself is refused by the API server, with field, value and remedy, and loses nothing', async () => {
    const refused = await world.kubectl.attempt(['apply', '-f', '-'], {
      input: `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: mistaken, namespace: ways }
spec: { action: DENY, rules: [{ from: [{ source: { ipBlocks: [10.244.0.0/99] } }] }] }`,
    });
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('clearmesh').and.to.include('ipBlocks').and.to.include('10.244.0.0/99');
    expect(await world.kubectl.get('authorizationpolicies', 'ways')).to.deep.equal([]);
    expect(await fromPod('ways', 'caller', 'http://called.ways/hello')).to.equal('200');
  });

  it('clearmesh why says beforehand what a call will meet', async () => {
    const within = await world.clearmesh(['why', 'ways/deploy/caller', 'ways/called']);
    expect(within.code, within.stdout + within.stderr).to.equal(0);
    const into = await world.clearmesh(['why', 'outside/deploy/stranger', 'ways/called']);
    expect(into.code, into.stdout + into.stderr).to.equal(1);
    expect(into.stdout)
      .to.match(/^REFUSED/)
      .and.to.match(/STRICT/);
  });

  it('clearmesh check finds nothing wrong, and status names every part', async () => {
    const check = await world.clearmesh(['check']);
    expect(check.code, check.stdout + check.stderr).to.equal(0);
    const status = await world.clearmesh(['status']);
    expect(status.code, status.stderr).to.equal(0);
    for (const part of ['control plane', 'node agent', 'ztunnel']) expect(status.stdout).to.include(part);
  });

  it('clearmesh proxy shows what the ztunnels know', async () => {
    const shown = {
      workloads: 'called-',
      services: 'headless',
      policies: 'strict',
      certificates: 'spiffe://cluster.local/ns/ways/',
    };
    for (const [what, wanted] of Object.entries(shown)) {
      const { code, stdout, stderr } = await world.clearmesh(['proxy', what, 'vault-b', '-o', 'json']);
      expect(code, stderr).to.equal(0);
      expect(JSON.stringify(JSON.parse(stdout)), what).to.include(wanted);
    }
    const connections = await world.clearmesh(['proxy', 'connections', '-o', 'json']);
    expect(connections.code, connections.stderr).to.equal(0);
    expect((JSON.parse(connections.stdout) as readonly { node: string }[]).map(({ node }) => node).sort()).to.deep.equal([
      'vault-a',
      'vault-b',
    ]);
  });
});

function addressOf(pod: KubernetesObject | undefined): string {
  const ip = pod?.status?.['podIP'];
  return typeof ip === 'string' ? ip : '';
}
