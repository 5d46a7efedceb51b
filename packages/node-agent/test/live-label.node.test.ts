/** Labels of running pods come and go under a client that asks without end, on fresh connections and on kept ones. */
import { join } from 'node:path';
import { connectTcp } from '@clearmesh/linux/connect-tcp';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { PROXY_MARK } from '../src/redirect/pod-rules.ts';
import { AgentBed, addressOf } from './agent-bed.ts';
import { seenBy, server, startAsking } from './asking-client.ts';
import { TunnellingProxy } from './tunnelling-proxy.ts';

/** As long as the control plane takes to tell every proxy that a pod has joined or left, milliseconds. */
const tellingMs = 500;
const mode = 'istio.io/dataplane-mode';

type Status = { readonly uncapturedConnections: readonly { readonly pod: string; readonly connections: number }[] };

describe('labels of running pods', function () {
  this.timeout(40_000);
  let bed: AgentBed;
  let proxy: TunnellingProxy;
  /** What every proxy has been told. */
  let inMesh: Set<string>;

  beforeEach(async () => {
    bed = await AgentBed.start();
    inMesh = new Set();
    bed.kube.onPod = ({ metadata }) => {
      const ip = addressOf(metadata.name === 'ledger' ? 'ledger' : 'payments');
      const isIn = metadata.annotations?.['ambient.istio.io/redirection'] === 'enabled';
      setTimeout(() => (isIn ? inMesh.add(ip) : inMesh.delete(ip)), tellingMs);
    };
    bed.pod('ledger', { namespace: 'shop' });
    bed.pod('payments', { namespace: 'shop' });
    bed.process('ledger', 41);
    bed.process('payments', 42);
    await bed.serve('ledger', server);
    await bed.agent();
    proxy = await bed.dialled(() => TunnellingProxy.dial(join(bed.directory, 'zds.sock'), (ip) => inMesh.has(ip)));
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  const label = (labels: Readonly<Record<string, string>>): void =>
    bed.kube.put('namespaces', { metadata: { name: 'shop', labels } });

  const logged = (what: string): number => bed.log.split(what).length - 1;

  async function joinMesh(): Promise<void> {
    label({ [mode]: 'ambient' });
    await bed.until(() => logged('pod captured') === 2, 'both pods to be captured');
  }

  /** What a plaintext request is answered that goes around the client's own proxy. */
  async function plaintext(): Promise<string> {
    const namespace = NetworkNamespace.open(bed.bed.pathOf('payments'));
    const target = { ip: addressOf('ledger'), port: 8080 };
    const socket = await connectTcp({ namespace, target, mark: PROXY_MARK }, AbortSignal.timeout(5_000));
    namespace[Symbol.dispose]();
    socket.end('GET / HTTP/1.0\r\n\r\n');
    return String(Buffer.concat(await socket.toArray().catch(() => [])));
  }

  it('lose no request when they come, and what was open before goes on in plaintext', async () => {
    const asking = await startAsking(bed);
    const startedMs = performance.now();
    await joinMesh();
    expect(performance.now() - startedMs, 'milliseconds until both pods are captured').to.be.lessThan(3_000);
    const { tunnelled } = proxy.counts;
    await bed.until(() => proxy.counts.tunnelled > tunnelled + 20, 'requests of captured pods');
    const { uncapturedConnections } = JSON.parse(bed.health('/status').body) as Status;
    const namespaced = uncapturedConnections.toSorted((left, right) => left.pod.localeCompare(right.pod));
    expect(namespaced.map(({ pod }) => pod)).to.deep.equal(['shop/ledger', 'shop/payments']);
    for (const { connections } of uncapturedConnections) expect(connections, 'the kept ones').to.be.within(2, 10);
    expect(bed.health('/metrics').body).to.match(/clearmesh_agent_uncaptured_connections\{namespace="shop"\} [1-9]/);
    const seen = await seenBy(asking);
    expect(seen.lost).to.deep.equal([]);
    expect(seen.slowestMs, 'nobody had to send a SYN again').to.be.lessThan(1_000);
    expect(seen.fresh).to.be.greaterThan(50);
    expect(seen.kept).to.be.greaterThan(50);
    expect(Object.keys(seen.from), 'the application sees its true client').to.deep.equal([addressOf('payments')]);
    expect(bed.log).to.match(/pod captured.*shop\/payments.*plaintext_connections=[1-9]/);
    expect(await plaintext(), 'around the proxy').to.equal('');
  });

  it('lose no request when they go; what was open through the proxy ends there, and the rules go after it', async () => {
    await joinMesh();
    const asking = await startAsking(bed);
    label({});
    await bed.until(() => logged('pod released') === 2, 'both pods to be released');
    const { tunnelled, direct } = proxy.counts;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const seen = await seenBy(asking);
    expect(seen.lost).to.deep.equal([]);
    expect(seen.slowestMs, 'nobody had to send a SYN again').to.be.lessThan(1_000);
    expect(seen.kept).to.be.greaterThan(50);
    expect(proxy.counts, 'nothing new goes through the proxy').to.include({ tunnelled, direct, refused: 0 });
    expect(proxy.pods).to.equal(0);
    expect(bed.annotation('ledger', 'shop')).to.equal(undefined);
    for (const name of ['ledger', 'payments'] as const)
      await bed.until(() => bed.rules(name) === '', `the rules of ${name} to go`);
    expect(bed.rules('host')).to.not.match(/10\.79\.[12]\.2/);
  });

  it('lose no request when they go and come again at once', async () => {
    await joinMesh();
    const asking = await startAsking(bed);
    label({});
    await bed.until(() => bed.annotation('ledger', 'shop') === 'pending', 'the pod to leave');
    label({ [mode]: 'ambient' });
    await bed.until(() => logged('pod captured') === 4, 'both pods to be captured again');
    const seen = await seenBy(asking);
    expect(seen.lost).to.deep.equal([]);
    expect(bed.annotation('ledger', 'shop')).to.equal('enabled');
    expect(bed.rules('ledger')).to.include('redirect to :15006');
  });

  for (const { moment, reached } of [
    { moment: 'joining', reached: () => bed.annotation('ledger', 'shop') === 'enabled' && !bed.log.includes('pod captured') },
    { moment: 'leaving', reached: () => bed.annotation('ledger', 'shop') === 'pending' && !bed.log.includes('pod released') },
  ]) {
    it(`end well where the agent is killed while a pod is ${moment}`, async () => {
      if (moment === 'leaving') await joinMesh();
      label(moment === 'leaving' ? {} : { [mode]: 'ambient' });
      await bed.until(reached, moment);
      await bed.kill();
      // One that dials again still has its ports.
      await proxy[Symbol.asyncDispose]();
      await bed.agent();
      const next = await bed.dialled(() => TunnellingProxy.dial(join(bed.directory, 'zds.sock'), (ip) => inMesh.has(ip)));
      if (moment === 'joining') {
        await bed.until(() => logged('pod captured') === 2, 'both pods to be captured');
        expect(bed.annotation('ledger', 'shop')).to.equal('enabled');
        expect(bed.rules('ledger')).to.include('redirect to :15006').and.include('reject with tcp reset');
        expect(next.pods).to.equal(2);
      } else {
        await bed.until(() => bed.annotation('ledger', 'shop') === undefined, 'the annotation to go');
        await bed.until(() => bed.rules('ledger') === '', 'the rules to go');
      }
    });
  }

  it('keep a pod outside the mesh, and running, while no proxy takes it', async () => {
    await proxy[Symbol.asyncDispose]();
    await bed.logs('node proxy disconnected');
    label({ [mode]: 'ambient' });
    await bed.logs('pod is enrolled but not captured');
    expect(bed.rules('ledger')).to.equal('');
    expect(await plaintext()).to.match(/^HTTP\/1.1 200/);
    expect(bed.annotation('ledger', 'shop')).to.equal(undefined);
    await bed.dialled(() => TunnellingProxy.dial(join(bed.directory, 'zds.sock'), (ip) => inMesh.has(ip)));
    await bed.until(() => bed.annotation('ledger', 'shop') === 'enabled', 'the annotation');
  });
});
