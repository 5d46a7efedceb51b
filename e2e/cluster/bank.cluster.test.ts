/** The life of a mesh on a real cluster, in the order in which its users live it: each test goes on where the last one ended. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { askUntil, eventually } from '@clearmesh/shared/testing/ask-until';
import { MeshCluster, repository } from '../harness/mesh-cluster.ts';
import { NodeLink } from '../harness/node-link.ts';
import { SteadyLoad } from '../harness/steady-load.ts';
import type { KubernetesObject } from '../harness/kubectl.ts';

const domains = ['payments', 'ledger', 'customer-analytics'];
const parts = ['daemonset/ztunnel', 'daemonset/clearmesh-node-agent', 'deployment/clearmesh-control-plane'];
const iban = 'DE89370400440532013000';
const mesh = 'clearmesh-system';
const bank = join(repository, 'examples/bank-kubernetes');
const redirection = 'ambient.istio.io/redirection';

describe('the mesh on a cluster', function () {
  this.timeout(240_000);
  this.bail(true);
  let world: MeshCluster;
  const podIps = new Set<string>();

  const kubectl = (...args: readonly string[]): Promise<string> => world.kubectl.run(args);

  async function pods(namespaces: readonly string[]): Promise<readonly KubernetesObject[]> {
    const found = (await Promise.all(namespaces.map((namespace) => world.kubectl.get('pods', namespace)))).flat();
    for (const { status } of found) {
      const ip = status?.['podIP'];
      if (typeof ip === 'string') podIps.add(ip);
    }
    return found;
  }

  const captured = (pod: KubernetesObject): boolean => pod.metadata.annotations?.[redirection] === 'enabled';
  const uids = (list: readonly KubernetesObject[]): readonly string[] => list.map(({ metadata }) => metadata.uid).sort();

  /** Waypoints are of the mesh itself, and never captured. */
  const isWaypoint = ({ metadata }: KubernetesObject): boolean =>
    metadata.labels?.['gateway.networking.k8s.io/gateway-name'] !== undefined;

  /** Milliseconds until every pod of the domains is captured, or none is. */
  async function untilCaptured(wanted: boolean, patienceMs: number): Promise<number> {
    const startMs = performance.now();
    const areSo = async (): Promise<boolean> => {
      const list = (await pods(domains)).filter((pod) => !isWaypoint(pod));
      return list.length > 0 && list.every((pod) => captured(pod) === wanted);
    };
    await eventually(`every pod is ${wanted ? 'captured' : 'released'}`, areSo, { limitMs: patienceMs, pauseMs: 100 });
    return performance.now() - startMs;
  }

  /** One call to payments' own program from inside its pod; it calls on from there. */
  async function payments(method: string, path: string, body?: object): Promise<{ status: number; body: string }> {
    const options = JSON.stringify({ method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const tell = 'console.log(JSON.stringify({ status: answer.status, body: await answer.text() }))';
    const program = `const answer = await fetch('http://localhost:8080${path}', ${options}); ${tell}`;
    const result = await world.kubectl.exec('payments', 'deploy/payments', ['node', '--input-type=module', '-e', program]);
    if (result.code !== 0) throw new Error(`${result.stderr}${result.stdout}`);
    return JSON.parse(result.stdout) as { status: number; body: string };
  }

  /** A payment, as soon as one succeeds: what has just started may need a moment. */
  async function untilPaid(): Promise<void> {
    const pay = (): Promise<{ status: number; body: string }> =>
      payments('POST', '/pay', { iban }).catch((error: unknown) => ({ status: 0, body: String(error) }));
    const paid = await askUntil(({ status }) => status === 200, pay, { limitMs: 30_000 });
    expect(paid.status, paid.body).to.equal(200);
  }

  const steadyLoad = (): Promise<SteadyLoad> =>
    SteadyLoad.start(world.kubectl, { namespace: 'payments', target: 'deploy/payments', url: 'http://ledger.ledger:8080/hello' });

  /** What the callers saw is nothing but answers. */
  async function lostNothing(load: SteadyLoad): Promise<void> {
    const report = await load.stop();
    expect(report.failures, JSON.stringify(report.failures)).to.deep.equal([]);
    expect(report.answered.fresh).to.be.greaterThan(20);
  }

  const rolledOut = (namespace: string): Promise<void> => world.kubectl.rolledOut(namespace);

  const label = (value: string): Promise<string> => kubectl('label', 'namespace', ...domains, '--overwrite', value);

  before(async function () {
    this.timeout(900_000);
    world = await MeshCluster.up((line) => console.log(`      ${line}`));
  });
  after(async function () {
    this.timeout(120_000);
    await world?.[Symbol.asyncDispose]();
  });

  it('is installed by helm, and every part of it becomes ready', async () => {
    const where = ['-n', mesh, '--create-namespace'];
    await world.helm(['install', 'clearmesh', 'charts/clearmesh', ...where, '--wait', '--timeout', '180s']);
    const list = await world.kubectl.get('pods', mesh);
    const apps = new Set(list.map(({ metadata }) => metadata.labels?.['app']));
    expect(apps).to.deep.equal(new Set(['clearmesh-control-plane', 'clearmesh-node-agent', 'ztunnel']));
  });

  it('hands the root certificate to every namespace', async () => {
    for (const namespace of ['default', mesh]) {
      const path = 'jsonpath={.data.root-cert\\.pem}';
      const root = await kubectl('-n', namespace, 'get', 'configmap', 'istio-ca-root-cert', '-o', path);
      expect(root).to.match(/^-----BEGIN CERTIFICATE-----/);
    }
  });

  it('passes its own test', async () => {
    const told = await world.helm(['test', 'clearmesh', '-n', mesh, '--timeout', '60s']);
    expect(told).to.contain('Succeeded');
  });

  it('leaves pods alone that nobody enrolled', async () => {
    await kubectl('apply', '-f', bank);
    for (const namespace of domains) await rolledOut(namespace);
    expect((await pods(domains)).filter(captured)).to.deep.equal([]);
    const paid = await payments('POST', '/pay', {});
    expect(paid.status, paid.body).to.equal(200);
  });

  it('captures three namespaces by their label within 2 s, with no request lost and no pod restarted', async () => {
    const before = uids(await pods(domains));
    await using load = await steadyLoad();
    await pause(1_000);
    const tookMs: number[] = [];
    // A machine that is busy with something else may need a second look; a mesh that is slow needs them all.
    while (tookMs.every((each) => each >= 2_000) && tookMs.length < 4) {
      if (tookMs.length > 0) {
        await label('istio.io/dataplane-mode-');
        await untilCaptured(false, 30_000);
      }
      await label('istio.io/dataplane-mode=ambient');
      tookMs.push(await untilCaptured(true, 30_000));
    }
    expect(Math.min(...tookMs), String(tookMs)).to.be.lessThan(2_000);
    await using link = await NodeLink.record('cm-cluster-vault-a', 'eth0');
    await pause(2_000);
    await lostNothing(load);
    // What was open before the label goes on as it was.
    const { tunnelPackets, plaintextSamples } = await link.judge(podIps, [], 'all that is older');
    expect(plaintextSamples).to.deep.equal([]);
    expect(tunnelPackets).to.be.greaterThan(0);
    const after = await pods(domains);
    expect(uids(after)).to.deep.equal(before);
    expect(restartsOf(after)).to.equal(0);
  });

  it('lets payments book in the ledger, and shows an eavesdropper nothing of it', async () => {
    await using link = await NodeLink.record('cm-cluster-vault-a', 'eth0');
    // A new pod makes tunnels of its own: their handshakes are in the recording.
    await kubectl('-n', 'payments', 'rollout', 'restart', 'deployment/payments');
    await rolledOut('payments');
    await untilCaptured(true, 10_000);
    for (let payment = 0; payment < 10; payment++) {
      const { status, body } = await payments('POST', '/pay', { iban });
      expect(status, body).to.equal(200);
    }
    const report = await link.judge(podIps, [iban]);
    expect(report.secretsSeen).to.deep.equal([]);
    expect(report.plaintextSamples).to.deep.equal([]);
    expect(report.tlsStreams.length).to.be.greaterThan(0);
  });

  it('refuses payments the store of customer-analytics', async () => {
    const { body } = await payments('GET', '/report');
    expect(JSON.parse(body)).to.deep.include({ answered: false });
  });

  it('explains both answers: clearmesh why names the policy and the rule', async () => {
    const allowed = await world.clearmesh(['why', 'payments/deploy/payments', 'ledger/ledger']);
    expect(allowed.code, allowed.stderr).to.equal(0);
    expect(allowed.stdout)
      .to.match(/^ALLOWED/)
      .and.to.include('AuthorizationPolicy ledger/allow-payments');
    const refused = await world.clearmesh(['why', 'payments/deploy/payments', 'customer-analytics/store']);
    expect(refused.code, refused.stderr).to.equal(1);
    expect(refused.stdout)
      .to.match(/^REFUSED/)
      .and.to.match(/rule 0 of AuthorizationPolicy customer-analytics\//);
  });

  it('keeps probes of every kind working for enrolled pods', async () => {
    await kubectl('apply', '-f', join(import.meta.dirname, 'manifests/probes.yaml'));
    await rolledOut('probed');
    const list = await world.kubectl.get('pods', 'probed');
    expect(list.map(captured)).to.deep.equal([true, true, true]);
    expect(restartsOf(list)).to.equal(0);
    await kubectl('delete', 'namespace', 'probed');
  });

  it('gives the ledger its waypoint, with no request lost', async () => {
    const bundle = `--from-file=${join(repository, 'examples/bank/bundles/four-eyes')}`;
    await kubectl('-n', 'ledger', 'create', 'configmap', 'four-eyes', bundle);
    await using load = await steadyLoad();
    const values = join(bank, 'waypoint/values.yaml');
    await world.helm(['install', 'ledger-waypoint', 'charts/waypoint', '-n', 'ledger', '-f', values]);
    await kubectl('-n', 'ledger', 'wait', 'gateway/ledger-waypoint', '--for=condition=Programmed', '--timeout=120s');
    await kubectl('apply', '-f', join(bank, 'waypoint/policies.yaml'));
    await kubectl('-n', 'ledger', 'label', 'service', 'ledger', 'balances', 'istio.io/use-waypoint=ledger-waypoint');
    await pause(4_000);
    await lostNothing(load);
  });

  it('holds the four-eyes rule at the waypoint', async () => {
    const alone = await payments('POST', '/pay', { amount: '5000.00' });
    expect(alone.status).to.equal(502);
    expect(alone.body).to.contain('403');
    const together = await payments('POST', '/pay', { amount: '5000.00', approver: 'alice' });
    expect(together.status, together.body).to.equal(200);
  });

  it('is replaced part by part with load running, and loses no request', async () => {
    await using link = await NodeLink.record('cm-cluster-vault-a', 'eth0');
    await using load = await steadyLoad();
    await kubectl('-n', mesh, 'rollout', 'restart', ...parts);
    for (const part of parts) await kubectl('-n', mesh, 'rollout', 'status', part, '--timeout=150s');
    await pause(1_000);
    await lostNothing(load);
    expect((await link.judge(podIps, [])).plaintextSamples).to.deep.equal([]);
  });

  it('keeps pods in the mesh while containerd and kubelet start again without the node agent, and starts none there', async () => {
    const agent = 'daemonset/clearmesh-node-agent';
    const heldBack = (value: string): Promise<string> =>
      kubectl(
        '-n',
        mesh,
        'patch',
        agent,
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { template: { spec: { nodeSelector: { 'held-back': value === '' ? null : value } } } } }),
      );
    await using link = await NodeLink.record('cm-cluster-vault-a', 'eth0');
    await heldBack('yes');
    await kubectl('-n', mesh, 'wait', '--for=delete', 'pod', '-l', 'app=clearmesh-node-agent', '--timeout=60s');
    for (const { machine } of world.cluster.nodes) for (const program of ['kubelet', 'containerd']) await machine.end(program);
    await world.cluster.up();
    await untilPaid();
    await kubectl('-n', 'payments', 'rollout', 'restart', 'deployment/payments');
    const refusal = ['-n', 'payments', 'get', 'events', '--field-selector', 'reason=FailedCreatePodSandBox', '-o', 'name'];
    const patience = { limitMs: 60_000, pauseMs: 500 };
    expect(
      await askUntil(
        (found) => found !== '',
        () => kubectl(...refusal),
        patience,
      ),
    ).not.to.equal('');
    const running = (await pods(['payments'])).filter(({ status }) => status?.['phase'] === 'Running');
    expect(running.length).to.equal(1);
    await untilPaid();
    await heldBack('');
    await rolledOut('payments');
    await untilCaptured(true, 60_000);
    await untilPaid();
    const report = await link.judge(podIps, [iban]);
    expect([report.secretsSeen, report.plaintextSamples]).to.deep.equal([[], []]);
  });

  it('lets no plaintext out over ten reboots of nodes', async function () {
    this.timeout(900_000);
    await using link = await NodeLink.record('cm-cluster-vault-a', 'eth0');
    for (let reboot = 0; reboot < 10; reboot++) {
      await world.cluster.reboot(reboot % 2 === 0 ? 'vault-b' : 'vault-a');
      for (const namespace of domains) await rolledOut(namespace);
      await pods(domains);
      await payments('POST', '/pay', { iban }).catch(() => undefined);
    }
    await untilCaptured(true, 60_000);
    await untilPaid();
    const report = await link.judge(podIps, [iban]);
    expect([report.secretsSeen, report.plaintextSamples]).to.deep.equal([[], []]);
  });

  it('lets go of namespaces when their label goes, with no request lost and no pod restarted', async () => {
    await kubectl('-n', 'ledger', 'label', 'service', 'ledger', 'balances', 'istio.io/use-waypoint-');
    await world.helm(['uninstall', 'ledger-waypoint', '-n', 'ledger', '--wait']);
    const before = uids(await pods(['payments', 'customer-analytics']));
    await using load = await steadyLoad();
    await label('istio.io/dataplane-mode-');
    await untilCaptured(false, 10_000);
    await pause(1_000);
    await lostNothing(load);
    expect(uids(await pods(['payments', 'customer-analytics']))).to.deep.equal(before);
  });

  it('is uninstalled without a trace on the nodes, and new pods start without it', async () => {
    await world.helm(['uninstall', 'clearmesh', '-n', mesh, '--wait', '--timeout', '120s']);
    await kubectl('-n', 'payments', 'rollout', 'restart', 'deployment/payments');
    await rolledOut('payments');
    for (const { plan } of world.cluster.nodes) {
      const conflist = join('/var/lib/clearmesh-cluster', plan.name, 'root/etc/cni/net.d/10-cluster.conflist');
      // helm waits for the DaemonSet to go, and its pods go after it: each agent has its grace to leave.
      const left = (text: string): boolean => !text.includes('clearmesh');
      expect(await askUntil(left, () => readFile(conflist, 'utf8'), { limitMs: 30_000 })).not.to.contain('clearmesh');
    }
  });
});

function restartsOf(list: readonly KubernetesObject[]): number {
  type Container = { readonly restartCount: number };
  const containers = list.flatMap(({ status }) => (status?.['containerStatuses'] ?? []) as readonly Container[]);
  return containers.reduce((sum, { restartCount }) => sum + restartCount, 0);
}
