import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { processesIn } from '@clearmesh/lab/cleanup/namespace-processes';
import { isRunning } from '@clearmesh/lab/process/proc-stat';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import type { Cluster } from '../src/cluster.ts';
import { machines } from '../src/plan.ts';
import { bank, descendants, firstStartMs, machineNetwork, nameOf, prepare, untilItSays } from './cluster-bed.ts';

const main = join(import.meta.dirname, '../src/main.ts');

/** The mounts that this process sees, without those of others that come and go. */
function mounts(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => /clearmesh-cluster|cm-cluster|containerd|kubelet|\/cni/.test(line))
    .join('\n');
}

function processes(): readonly number[] {
  return processesIn(machines.map(({ namespace }) => namespace)).map(({ pid }) => pid);
}

describe('the end of the cluster', () => {
  let cluster: Cluster;

  const nothingLeft = async (): Promise<void> => {
    expect(await cluster.status()).to.deep.include({ state: 'down', left: [] });
    expect(processes()).to.deep.equal([]);
    expect(mounts()).to.equal('');
    expect(await machineNetwork()).to.equal('');
  };

  before(async function () {
    this.timeout(firstStartMs);
    cluster = await prepare();
    await cluster.down();
  });

  after(() => cluster.down());

  it('is no error when there is none', async () => {
    await cluster.down();
    await nothingLeft();
  });

  it('leaves no process, mount, namespace, device, control group or file, with workloads running', async () => {
    await cluster.up();
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], bank('workloads'));
    await cluster.kubectl(['--namespace=workloads', 'rollout', 'status', '--timeout=60s', 'deployment/ledger']);
    const all = processes().flatMap((pid) => descendants(pid));
    expect(all.map(nameOf)).to.include.members(['kubelet', 'containerd', 'containerd-shim', 'httpd']);
    await cluster.down();
    // A zombie waits for the first process of this machine, and is none any more.
    expect(all.filter(isRunning)).to.deep.equal([]);
    await nothingLeft();
  });

  for (const moment of ['making certificates', 'the API server serves', 'waiting for the nodes'])
    it(`is whole after a kill -9 of "up" at "${moment}"`, async () => {
      const up = await untilItSays([process.execPath, main, 'up'], new RegExp(moment));
      up.kill('SIGKILL');
      await once(up, 'exit');
      await cluster.down();
      await nothingLeft();
    });

  it('is not needed after a kill -9 of "up": another one takes it up', async () => {
    const up = await untilItSays([process.execPath, main, 'up'], /the API server serves/);
    up.kill('SIGKILL');
    await once(up, 'exit');
    await cluster.up();
    expect(await cluster.status()).to.deep.include({ state: 'up' });
  });

  for (const name of ['containerd', 'kubelet', 'kube-proxy'])
    it(`is not needed after ${name} ended: the next "up" starts it again`, async () => {
      await cluster.machine('vault-b').end(name);
      const seen = await cluster.status();
      expect(seen.state).to.equal('partly');
      expect(seen.machines[2]?.programs).to.deep.include({ name, running: false });
      await cluster.up();
      expect(await cluster.status()).to.deep.include({ state: 'up', dns: true });
    });

  it('is not needed for a new configuration: "up" starts the programs whose own has changed', async () => {
    const machine = cluster.machine('vault-b');
    const pidOf = async (name: string): Promise<string> => (await machine.run(['pidof', name])).trim();
    const before = { proxy: await pidOf('kube-proxy'), kubelet: await pidOf('kubelet') };
    await machine.run(['sh', '-c', 'echo "# changed" > /etc/kubernetes/kubelet.yaml']);
    await cluster.up();
    expect(await cluster.status()).to.deep.include({ state: 'up' });
    expect(await pidOf('kube-proxy')).to.equal(before.proxy);
    expect(await pidOf('kubelet')).not.to.equal(before.kubelet);
    expect(await machine.run(['cat', '/etc/kubernetes/kubelet.yaml'])).to.include('KubeletConfiguration');
  });
});
