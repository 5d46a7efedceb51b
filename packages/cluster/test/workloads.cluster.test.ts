import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileTree } from '@clearmesh/images/file-tree';
import { layerOf } from '@clearmesh/images/layer';
import { packImage } from '@clearmesh/images/oci-archive';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import type { Cluster } from '../src/cluster.ts';
import { outsideIp } from '../src/plan.ts';
import { bank, firstStartMs, ledgerOn, prepare, resolveInLedger, untilItSays } from './cluster-bed.ts';
import type { BankPod } from './cluster-bed.ts';

const namespace = 'workloads';

function startOf(ip: string): RegExp {
  return new RegExp(`^${ip.replaceAll('.', '\\.')}\\s`);
}

describe('a Kubernetes of two nodes', () => {
  let cluster: Cluster;
  let podA: BankPod;
  let podB: BankPod;

  const kubectl = (...args: readonly string[]): Promise<string> => cluster.kubectl([`--namespace=${namespace}`, ...args]);
  const inPod = ({ name }: BankPod, ...command: readonly string[]): Promise<string> => kubectl('exec', name, '--', ...command);
  const get = (from: BankPod, url: string): Promise<string> => inPod(from, 'wget', '-q', '-O', '-', url);

  before(async function () {
    this.timeout(firstStartMs);
    cluster = await prepare();
    await cluster.up();
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], bank(namespace));
    await kubectl('rollout', 'status', '--timeout=60s', 'deployment/ledger');
    podA = await ledgerOn(cluster, namespace, 'vault-a');
    podB = await ledgerOn(cluster, namespace, 'vault-b');
  });

  after(() => cluster.down());

  it('says that all of it runs', async () => {
    expect(await cluster.status()).to.deep.include({ state: 'up', dns: true });
  });

  it('changes nothing when it is told to start again', async () => {
    const programs = (): Promise<readonly string[]> =>
      Promise.all(cluster.nodes.map(({ machine }) => machine.run(['pidof', 'containerd', 'kubelet', 'kube-proxy'])));
    const first = await programs();
    await cluster.up();
    expect(await programs()).to.deep.equal(first);
    expect(await kubectl('get', 'pods', '--output=jsonpath={.items[*].status.containerStatuses[*].restartCount}')).to.equal(
      '0 0',
    );
  });

  it('makes pods with HTTP probes ready on both nodes', () => {
    expect(podA.ip).to.match(/^10\.244\.1\./);
    expect(podB.ip).to.match(/^10\.244\.2\./);
  });

  it('carries a connection from a pod to one of the other node, under the caller’s own address', async () => {
    expect(await get(podA, `http://${podB.ip}:8080/`)).to.equal(`${podB.name}\n`);
    expect(await kubectl('logs', podB.name)).to.include(podA.ip);
  });

  it('shows what one node sends to the other on the link between them', async () => {
    const filter = ['tcp', 'and', 'src', podA.ip, 'and', 'dst', podB.ip];
    const dump = await untilItSays(
      ['ip', 'netns', 'exec', 'cm-cluster-vault-a', 'tcpdump', '-n', '-l', '-c', '1', '-i', 'eth0', ...filter],
      /listening on eth0/,
    );
    const captured = once(dump, 'exit');
    await get(podA, `http://${podB.ip}:8080/`);
    expect(await captured).to.deep.equal([0, null]);
  });

  it('spreads the connections to a cluster IP over both pods', async () => {
    const ip = await kubectl('get', 'service', 'ledger', '--output=jsonpath={.spec.clusterIP}');
    const seen = new Set<string>();
    for (let calls = 0; seen.size < 2 && calls < 100; calls += 1) seen.add(await get(podA, `http://${ip}/`));
    expect([...seen].sort()).to.deep.equal([`${podA.name}\n`, `${podB.name}\n`].sort());
  });

  for (const name of ['ledger', 'ledger.workloads', 'ledger.workloads.svc.cluster.local'])
    it(`answers the name ${name}`, async () => {
      const ip = await kubectl('get', 'service', 'ledger', '--output=jsonpath={.spec.clusterIP}');
      for (const node of ['vault-a', 'vault-b']) expect(await resolveInLedger(cluster, node, name)).to.match(startOf(ip));
    });

  it('answers a whole name to a program that asks the DNS server itself', async () => {
    const ip = await kubectl('get', 'service', 'ledger', '--output=jsonpath={.spec.clusterIP}');
    for (const pod of [podA, podB]) expect(await inPod(pod, 'nslookup', `ledger.${namespace}.svc.cluster.local`)).to.include(ip);
  });

  it('knows no name outside of itself', async () => {
    const said = await inPod(podA, 'sh', '-c', 'nslookup bank.example || true');
    expect(said).to.include("can't find bank.example: NXDOMAIN");
  });

  it('forwards a port of this machine to a pod', async () => {
    const forward = await untilItSays(
      cluster.kubectlCommand([`--namespace=${namespace}`, 'port-forward', `pod/${podA.name}`, '18089:8080']),
      /Forwarding from 127\.0\.0\.1/,
    );
    try {
      const answer = await fetch('http://127.0.0.1:18089/');
      expect(await answer.text()).to.equal(`${podA.name}\n`);
    } finally {
      forward.kill();
    }
  });

  it('lets the API server call pods through a Service', async () => {
    const path = `/api/v1/namespaces/${namespace}/services/ledger:80/proxy/`;
    expect(await cluster.kubectl(['get', '--raw', path])).to.match(/^ledger-/);
  });

  it('lets this machine and pods reach each other', async () => {
    expect(await (await fetch(`http://${podB.ip}:8080/`)).text()).to.equal(`${podB.name}\n`);
    const server = http.createServer((request, response) => response.end(request.socket.remoteAddress));
    await new Promise<void>((listening) => void server.listen(0, outsideIp, listening));
    const { port } = server.address() as { readonly port: number };
    expect(await get(podA, `http://${outsideIp}:${port}/`)).to.equal(podA.ip);
    server.close();
  });

  it('loads an image into both nodes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clearmesh-image-'));
    const tree = new FileTree();
    tree.addFile('greeting', 'hello');
    const name = 'docker.io/clearmesh/greeting:1';
    await writeFile(join(folder, 'greeting.tar'), await packImage({ name, layers: [await layerOf(tree)], config: {} }));
    await cluster.load([join(folder, 'greeting.tar')]);
    await rm(folder, { recursive: true });
    for (const { machine } of cluster.nodes)
      expect(await machine.run(['ctr', '--namespace', 'k8s.io', 'images', 'list', '--quiet'])).to.include(name);
  });

  it('shows an agent of a node its pods’ namespaces and processes', async () => {
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], agent(namespace));
    await kubectl('rollout', 'status', '--timeout=60s', 'daemonset/agent');
    const on = async (node: string): Promise<string> =>
      (await kubectl('get', 'pods', '--selector=app=agent', `--field-selector=spec.nodeName=${node}`, '--output=name')).trim();
    const inAgent = async (node: string, script: string): Promise<string> =>
      (await kubectl('exec', await on(node), '--', 'sh', '-c', script)).trim();
    // The agent was there first: the new pod's namespace must come to it.
    await kubectl('delete', 'pod', podA.name);
    const itsFollower = ['pod', '--selector=app=ledger', '--field-selector=spec.nodeName=vault-a', '--timeout=60s'];
    for (const what of ['create', 'condition=Ready']) await kubectl('wait', `--for=${what}`, ...itsFollower);
    podA = await ledgerOn(cluster, namespace, 'vault-a');
    const addresses = 'for ns in /host/netns/cni-*; do nsenter --net=$ns ip -4 addr show eth0; done';
    expect(await inAgent('vault-a', addresses)).to.include(`inet ${podA.ip}/`);
    expect(await inAgent('vault-a', addresses)).not.to.include(`inet ${podB.ip}/`);
    const httpds = 'cat /host/proc/[0-9]*/cmdline 2> /dev/null | tr "\\0" " " | grep -c "httpd -f"';
    expect(await inAgent('vault-b', httpds)).to.equal('1');
    expect(await inAgent('vault-b', 'cat /host/cni/10-cluster.conflist')).to.include('10.244.2.0/24');
  });

  it('keeps to its rules when a node reboots', async () => {
    const bootId = (): Promise<string> =>
      cluster.kubectl(['get', 'node', 'vault-a', '--output=jsonpath={.status.nodeInfo.bootID}']);
    const first = await bootId();
    const machine = cluster.machine('vault-a');
    await machine.run(['sh', '-c', 'echo mesh > /etc/cni/net.d/20-mesh.conf; touch /run/mesh.sock']);
    await cluster.reboot('vault-a');
    await kubectl('wait', '--timeout=60s', '--for=jsonpath={.status.containerStatuses[0].restartCount}=1', `pod/${podA.name}`);
    await kubectl('wait', '--timeout=60s', '--for=condition=Ready', `pod/${podA.name}`);
    expect(await bootId()).not.to.equal(first);
    expect(await machine.run(['ls', '/etc/cni/net.d'])).to.include('20-mesh.conf');
    expect(await machine.run(['ls', '/run'])).not.to.include('mesh.sock');
    const again = await ledgerOn(cluster, namespace, 'vault-a');
    expect(await get(podB, `http://${again.ip}:8080/`)).to.equal(`${again.name}\n`);
    expect(await kubectl('get', 'pod', podB.name, '--output=jsonpath={.status.containerStatuses[0].restartCount}')).to.equal('0');
  });
});

/** A node agent in outline: the mounts that one needs, and nothing that it does. */
function agent(where: string): string {
  const labels = { app: 'agent' };
  const host = (name: string, path: string): object => ({ name, hostPath: { path } });
  const container = {
    name: 'agent',
    image: 'clearmesh/busybox:1',
    imagePullPolicy: 'Never',
    command: ['sleep', '2147483647'],
    securityContext: { capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'SYS_ADMIN', 'SYS_PTRACE'] } },
    volumeMounts: [
      { name: 'netns', mountPath: '/host/netns', mountPropagation: 'HostToContainer' },
      { name: 'proc', mountPath: '/host/proc', readOnly: true },
      { name: 'cni', mountPath: '/host/cni' },
    ],
  };
  const spec = {
    hostNetwork: true,
    terminationGracePeriodSeconds: 0,
    containers: [container],
    volumes: [host('netns', '/var/run/netns'), host('proc', '/proc'), host('cni', '/etc/cni/net.d')],
  };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent', namespace: where },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
}
