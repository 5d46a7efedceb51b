import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AgentBed, uidOf } from './agent-bed.ts';
import { ACK, nack } from './handover/fake-proxy.ts';

describe('the node agent', function () {
  this.timeout(30_000);
  let bed: AgentBed;

  beforeEach(async () => {
    bed = await AgentBed.start();
  });
  afterEach(() => bed[Symbol.asyncDispose]());

  const ledger = uidOf('ledger');

  it('captures a pod before it starts: rules, proxy, annotation, and the result of the plugin before', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    await bed.agent();
    const proxy = await bed.proxy();
    const { status, output } = await bed.plugin('ADD', 'ledger');
    expect(JSON.parse(output)).to.deep.equal({ cniVersion: '1.0.0', ips: [{ address: '10.79.1.2/24' }], dns: {} });
    expect(status).to.equal(0);
    expect(bed.rules('ledger')).to.include('redirect to :15001').and.include('clearmesh-guard');
    const add = proxy.told.find(({ kind }) => kind === 'add');
    expect(add?.inode).to.equal(inodeOf('ledger'));
    await bed.until(() => bed.annotation('ledger') === 'enabled', 'the annotation');
    expect(bed.rules('host')).to.match(/elements = \{ 10\.79\.1\.2 \}/);
    expect((await bed.plugin('CHECK', 'ledger')).status).to.equal(0);
    bed.bed.exec('ledger', 'nft', 'delete table inet istio-ambient-nat');
    const check = await bed.plugin('CHECK', 'ledger');
    expect(check.status).to.equal(1);
    expect(JSON.parse(check.output)).to.include({ code: 103 });
  });

  function inodeOf(name: 'ledger'): bigint {
    return BigInt(bed.bed.exec(name, 'stat', '-Lc', '%i', '/proc/self/ns/net').trim());
  }

  it('lets probes of the node pass, and nothing else of what is forwarded to the pod', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    await bed.agent();
    await bed.proxy();
    await bed.plugin('ADD', 'ledger');
    const script = `require('node:net').createServer((s) => s.end(s.remoteAddress)).listen(8080, '0.0.0.0', () => console.log('ready'))`;
    await bed.serve('ledger', script);
    const ask = `const s = require('node:net').connect(8080, '10.79.1.2'); s.on('data', (d) => console.log(String(d))).on('error', (e) => console.log(e.code))`;
    expect(bed.bed.exec('host', process.execPath, '-e', ask).trim()).to.equal('169.254.7.127');
    // From another pod, forwarded by the node: to 15006, where no proxy listens.
    expect(bed.bed.exec('payments', process.execPath, '-e', ask).trim()).to.equal('ECONNREFUSED');
  });

  it('refuses a pod while no proxy is there to take it, and starts it afterwards', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    await bed.agent();
    await bed.until(() => existsSync(join(bed.directory, 'zds.sock')), 'ztunnel’s socket');
    const refused = await bed.plugin('ADD', 'ledger', { container: 'c1' });
    expect(refused.status).to.equal(1);
    const error = JSON.parse(refused.output) as Record<string, unknown>;
    expect(error).to.include({ code: 11, cniVersion: '1.0.0' });
    expect(error['msg']).to.include('no ztunnel is connected');
    expect(error['details']).to.include('ztunnel');
    expect((await bed.plugin('DEL', 'ledger', { container: 'c1' })).status).to.equal(0);
    const proxy = await bed.proxy();
    expect((await bed.plugin('ADD', 'ledger', { container: 'c2' })).status).to.equal(0);
    expect(proxy.about(ledger)).to.include('add');
  });

  it('says what the proxy said when it does not take a pod, and lets go of that sandbox', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    await bed.agent();
    let refuses = false;
    const proxy = await bed.proxy(() => (refuses ? nack('no port left') : ACK));
    await bed.until(() => bed.health('/readyz').status === 200, 'readiness');
    refuses = true;
    const { status, output } = await bed.plugin('ADD', 'ledger');
    expect(status).to.equal(1);
    expect((JSON.parse(output) as { msg: string }).msg).to.include('no port left');
    await bed.until(() => proxy.about(ledger).includes('del'), 'the Del');
    await bed.until(() => bed.annotation('ledger') === undefined, 'the annotation to go');
  });

  it('leaves pods alone that are not in the mesh', async () => {
    bed.pod('payments', { namespace: 'shop', phase: 'Pending', hasIp: false });
    await bed.agent();
    expect((await bed.plugin('ADD', 'payments', { namespace: 'shop' })).status).to.equal(0);
    expect(bed.rules('payments')).to.equal('');
    expect((await bed.plugin('CHECK', 'payments', { namespace: 'shop' })).status).to.equal(0);
  });

  it('captures and releases a running pod as labels come and go', async () => {
    bed.pod('ledger', { namespace: 'shop' });
    bed.process('ledger', 41);
    await bed.agent();
    const proxy = await bed.proxy();
    expect(bed.rules('ledger')).to.equal('');
    bed.kube.put('namespaces', { metadata: { name: 'shop', labels: { 'istio.io/dataplane-mode': 'ambient' } } });
    await bed.until(() => bed.annotation('ledger', 'shop') === 'enabled', 'the annotation');
    expect(bed.rules('ledger')).to.include('redirect to :15001');
    expect(proxy.about(ledger)).to.deep.equal(['snapshot', 'add']);
    bed.kube.put('namespaces', { metadata: { name: 'shop' } });
    await bed.until(() => bed.annotation('ledger', 'shop') === undefined, 'the annotation to go');
    expect(bed.rules('ledger')).to.equal('');
    expect(bed.rules('host')).to.not.include('10.79.1.2');
    expect(proxy.about(ledger)).to.deep.equal(['snapshot', 'add', 'del']);
  });

  it('believes no annotation after a restart: rules that lack are made before the proxy comes', async () => {
    bed.pod('ledger', { annotations: { 'ambient.istio.io/redirection': 'enabled' } });
    bed.process('ledger', 41);
    await bed.agent();
    const proxy = await bed.proxy();
    expect(bed.rules('ledger')).to.include('redirect to :15001');
    expect(proxy.about(ledger).slice(0, 2)).to.deep.equal(['add', 'snapshot']);
    expect(bed.log).to.include('pod is enrolled but was not captured');
    await bed.until(() => bed.annotation('ledger') === 'enabled', 'the annotation');
    expect(bed.health('/metrics').body).to.match(/clearmesh_agent_captures_total\{event="repaired"\} 1/);
  });

  it('tells a pod that it cannot find from one that is captured: metric, log, and the proxy keeps it', async () => {
    bed.pod('ledger', { annotations: { 'ambient.istio.io/redirection': 'enabled' } });
    await bed.agent();
    const proxy = await bed.proxy();
    expect(proxy.about(ledger)).to.deep.equal(['keep', 'snapshot']);
    expect(bed.health('/metrics').body).to.match(/clearmesh_agent_uncaptured_pods 1/);
    expect(bed.log).to.include('pod is enrolled but not captured').and.include('is not found');
  });

  it('takes the rules away that an earlier agent left in a pod that does not belong to the mesh any more', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    const first = await bed.agent();
    await bed.proxy();
    await bed.plugin('ADD', 'ledger');
    await bed.stop(first, 'SIGKILL');
    bed.pod('ledger', {
      labels: { 'istio.io/dataplane-mode': 'none' },
      annotations: { 'ambient.istio.io/redirection': 'enabled' },
    });
    bed.process('ledger', 41);
    await bed.agent();
    await bed.until(() => bed.annotation('ledger') === undefined, 'the annotation to go');
    expect(bed.rules('ledger')).to.equal('');
    await bed.until(() => !bed.rules('host').includes('10.79.1.2'), 'the probe address to go');
  });

  it('lets go of a pod that has finished, and of one that is deleted', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    bed.pod('payments', { phase: 'Pending', hasIp: false });
    await bed.agent();
    const proxy = await bed.proxy();
    await bed.plugin('ADD', 'ledger');
    await bed.plugin('ADD', 'payments');
    await bed.until(() => bed.annotation('ledger') === 'enabled', 'the annotation');
    bed.pod('ledger', { phase: 'Succeeded', annotations: { 'ambient.istio.io/redirection': 'enabled' } });
    await bed.until(() => bed.annotation('ledger') === undefined, 'the annotation to go');
    bed.kube.remove('pods', 'bank/payments');
    await bed.until(() => proxy.about(uidOf('payments')).includes('del'), 'the Del');
    expect(proxy.about(ledger)).to.include('del');
    expect(bed.rules('host')).to.not.match(/10\.79\.[12]\.2/);
    expect(bed.health('/metrics').body).to.match(/clearmesh_agent_enrolled_pods 0/);
  });

  it('lets ztunnel connect before the Kubernetes API answers, and tells it nothing before it knows the pods', async () => {
    bed.pod('ledger', { annotations: { 'ambient.istio.io/redirection': 'enabled' } });
    bed.process('ledger', 41);
    bed.kube.failing = 503;
    await bed.agent();
    const proxy = await bed.dial();
    await bed.logs('node proxy connected');
    await bed.logs('cannot follow namespaces');
    expect(proxy.told).to.deep.equal([]);
    bed.kube.failing = undefined;
    await bed.until(() => proxy.about(ledger).includes('snapshot'), 'the snapshot');
    expect(proxy.about(ledger).slice(0, 2)).to.deep.equal(['add', 'snapshot']);
  });

  it('goes on without the Kubernetes API: a pod it has heard of starts, one it has not is refused', async () => {
    bed.pod('ledger', { phase: 'Pending', hasIp: false });
    await bed.agent();
    await bed.proxy();
    await bed.until(() => bed.health('/readyz').status === 200, 'readiness');
    bed.kube.failing = 503;
    bed.kube.endWatches();
    await bed.logs('cannot follow pods');
    expect((await bed.plugin('ADD', 'ledger')).status).to.equal(0);
    const refused = await bed.plugin('ADD', 'payments');
    expect(JSON.parse(refused.output)).to.include({ code: 11 });
    bed.kube.failing = undefined;
    await bed.until(() => bed.annotation('ledger') === 'enabled', 'the annotation');
  });

  describe('with faults', () => {
    it('starts no pod of the mesh while it is away, except where it is not asked', async () => {
      const refused = await bed.plugin('ADD', 'ledger');
      expect(refused.status).to.equal(1);
      expect((JSON.parse(refused.output) as { details: string }).details).to.include('clearmesh-node-agent');
      expect((await bed.plugin('ADD', 'ledger', { namespace: 'kube-system' })).status).to.equal(0);
      expect((await bed.plugin('ADD', 'ledger', { namespace: 'clearmesh-system' })).status).to.equal(0);
      expect((await bed.plugin('CHECK', 'ledger')).status).to.equal(1);
      const gone = await bed.plugin('DEL', 'ledger');
      expect([gone.status, gone.output]).to.deep.equal([0, '']);
    });

    for (const { step, hold, reached } of [
      {
        step: 'while it asks about the pod',
        hold: () => {
          bed.kube.remove('pods', 'bank/ledger');
          bed.kube.hangs = (request) => request.endsWith('/pods/ledger');
        },
        reached: () => bed.kube.requests.includes('GET /api/v1/namespaces/bank/pods/ledger'),
      },
      { step: 'while it makes rules', hold: () => {}, reached: () => bed.log.includes('decided about a pod') },
      { step: 'while the proxy is silent', hold: () => {}, reached: () => bed.rules('ledger').includes('reject with tcp reset') },
    ]) {
      it(`starts no pod when it is killed ${step}; the next agent does`, async () => {
        bed.pod('ledger', { phase: 'Pending', hasIp: false });
        const first = await bed.agent('--log-level', 'debug');
        let isSilent = false;
        await bed.proxy(() => (isSilent ? undefined : ACK));
        await bed.until(() => bed.health('/readyz').status === 200, 'readiness');
        isSilent = true;
        hold();
        const adding = bed.plugin('ADD', 'ledger');
        await bed.until(reached, step);
        await bed.stop(first, 'SIGKILL');
        const failed = await adding;
        expect(failed.status).to.equal(1);
        expect(JSON.parse(failed.output)).to.include({ code: 11 });
        expect((await bed.plugin('DEL', 'ledger')).status).to.equal(0);
        bed.kube.hangs = () => false;
        bed.pod('ledger', { phase: 'Pending', hasIp: false });
        await bed.agent();
        const proxy = await bed.proxy();
        expect((await bed.plugin('ADD', 'ledger', { container: 'c2' })).status).to.equal(0);
        expect(proxy.about(ledger)).to.include('add');
      });
    }

    it('says of a pod that it is in the mesh, when it was killed before it could', async () => {
      bed.pod('ledger', { phase: 'Pending', hasIp: false });
      const first = await bed.agent();
      await bed.proxy();
      await bed.until(() => bed.health('/readyz').status === 200, 'readiness');
      bed.kube.hangs = (request) => request.startsWith('PATCH');
      expect((await bed.plugin('ADD', 'ledger')).status).to.equal(0);
      await bed.stop(first, 'SIGKILL');
      expect(bed.annotation('ledger')).to.equal(undefined);
      bed.kube.hangs = () => false;
      bed.pod('ledger');
      bed.process('ledger', 41);
      await bed.agent();
      await bed.proxy();
      await bed.until(() => bed.annotation('ledger') === 'enabled', 'the annotation');
      expect(bed.log).to.not.include('was not captured');
    });

    it('refuses a sandbox whose network namespace has gone', async () => {
      bed.pod('ledger', { phase: 'Pending', hasIp: false });
      await bed.agent();
      await bed.proxy();
      await bed.until(() => bed.health('/readyz').status === 200, 'readiness');
      const refused = await bed.plugin('ADD', 'ledger', { netns: '/run/netns/none' });
      expect(JSON.parse(refused.output)).to.include({ code: 5 });
      expect((await bed.plugin('DEL', 'ledger', { netns: '/run/netns/none' })).status).to.equal(0);
    });

    it('keeps pods when the proxy goes, and hands them to the next one', async () => {
      bed.pod('ledger', { phase: 'Pending', hasIp: false });
      await bed.agent();
      const first = await bed.proxy();
      await bed.plugin('ADD', 'ledger');
      await first[Symbol.asyncDispose]();
      const second = await bed.proxy();
      expect(second.about(ledger).slice(0, 2)).to.deep.equal(['add', 'snapshot']);
    });
  });

  describe('and the network configuration', () => {
    it('joins it, and joins it again when it is replaced; what is broken it leaves alone and reports', async () => {
      await bed.agent();
      await bed.until(() => bed.conf().includes('clearmesh-cni'), 'the entry');
      expect(readFileSync(join(bed.directory, 'bin/clearmesh-cni'), 'utf8')).to.equal('the plugin');
      writeFileSync(bed.confPath, JSON.stringify({ cniVersion: '1.0.0', name: 'new', plugins: [{ type: 'ptp' }] }));
      await bed.until(() => bed.conf().includes('clearmesh-cni'), 'the entry again');
      expect(bed.conf()).to.include('ptp');
      writeFileSync(bed.confPath, '{"cniVersion": ');
      await bed.logs('is left as it is');
      expect(bed.conf()).to.equal('{"cniVersion": ');
      expect(bed.health('/readyz').body).to.include('it is not JSON');
      writeFileSync(bed.confPath, JSON.stringify({ cniVersion: '1.0.0', name: 'mended', plugins: [{ type: 'ptp' }] }));
      await bed.until(() => bed.conf().includes('clearmesh-cni'), 'the entry after mending');
    });

    it('stays in it when it stops, and leaves it when its DaemonSet is gone', async () => {
      const first = await bed.agent();
      await bed.until(() => bed.conf().includes('clearmesh-cni'), 'the entry');
      await bed.stop(first, 'SIGTERM');
      expect(bed.conf()).to.include('clearmesh-cni');
      expect(bed.rules('host')).to.include('clearmesh-host');
      const second = await bed.agent();
      bed.kube.daemonSet = 'gone';
      await bed.stop(second, 'SIGTERM');
      expect(bed.conf()).to.not.include('clearmesh-cni');
      expect(existsSync(join(bed.directory, 'bin/clearmesh-cni'))).to.equal(false);
      expect(bed.rules('host')).to.not.include('clearmesh-host');
    });
  });
});
