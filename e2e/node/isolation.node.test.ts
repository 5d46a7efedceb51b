/** "payments may call ledger, strictly not customer-analytics", by whatever way, and what is said of each refusal. */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installOpa } from '@clearmesh/shared/testing/install-opa';
import { runIn } from '../harness/command.ts';
import type { CommandResult } from '../harness/command.ts';
import { RunningMesh } from '../harness/mesh.ts';
import { scrape, scrapeIn } from '../harness/metrics.ts';
import { callTcp } from '../harness/tcp-client.ts';

const ledger = '10.96.3.1';
const analytics = '10.96.3.2';
const store = '10.96.3.3';
const gate = 'customer-analytics/gate-0';
const payments = 'spiffe://cluster.local/ns/payments/sa/payments';
const policies = join(import.meta.dirname, '../../examples/policies');

describe('payments may call ledger, strictly not customer-analytics', () => {
  let bundles: string;
  let mesh: RunningMesh;

  before(async function () {
    this.timeout(400_000);
    bundles = await mkdtemp(join(tmpdir(), 'clearmesh-e2e-bundles-'));
    const bundle = join(bundles, 'domain-isolation.tar.gz');
    const build = ['build', '-t', 'wasm', '-e', 'envoy/authz/allow', '--ignore', '*_test.rego', '-o', bundle, 'domain-isolation'];
    await promisify(execFile)(await installOpa(), build, { cwd: policies });
    mesh = await RunningMesh.start({
      manifests: join(import.meta.dirname, '../manifests-isolation'),
      beside: { 'peers/domain-isolation.tar.gz': bundle },
      traces: true,
      timeoutMs: 90_000,
    });
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await rm(bundles, { recursive: true, force: true });
  });

  function curl(from: string, ...options: readonly string[]): Promise<CommandResult> {
    return runIn(mesh.pod(from).namespacePath, ['curl', '-sS', '-i', '--max-time', '10', ...options]);
  }

  /** At a waypoint, or the ztunnel of a node. */
  async function denials(counter: string): Promise<number> {
    const metric = 'clearmesh_denials_total';
    const ofNode = mesh.ready.nodes.some((node) => node.name === counter);
    const series = ofNode ? await scrape(mesh, counter, metric) : await scrapeIn(mesh.pod(counter).namespacePath, metric);
    return series.reduce((sum, { value }) => sum + value, 0);
  }

  /** The one span of the waypoint for this trace. */
  async function span(trace: string): Promise<string> {
    for (;;) {
      const { stdout } = await runIn(mesh.ready.control.namespacePath, [
        'curl',
        '-sS',
        `${mesh.ready.tracesUrl}/traces/${trace}`,
      ]);
      if (stdout.includes('spanId')) return stdout;
    }
  }

  it('lets payments call the ledger, and customer-analytics call itself', async () => {
    expect((await curl('payments/payments', `http://${ledger}/who`)).stdout).to.match(/^HTTP\/1.1 200 /);
    expect((await curl('customer-analytics/reporter', `http://${analytics}/who`)).stdout).to.match(/^HTTP\/1.1 200 /);
    const echoed = await callTcp(mesh.pod('customer-analytics/reporter'), store, 6379, 'PING');
    expect(echoed).to.include({ connected: true, received: 'PING' });
  });

  const name = 'analytics.customer-analytics.svc.cluster.local';
  const forged = [
    'x-forwarded-client-cert: URI=spiffe://cluster.local/ns/customer-analytics/sa/reporter',
    'x-clearmesh-caller: spiffe://cluster.local/ns/customer-analytics/sa/reporter',
    'x-forwarded-for: 127.0.0.1',
    'x-envoy-internal: true',
    'baggage: k8s.namespace.name=customer-analytics',
  ].flatMap((header) => ['-H', header]);
  const refused: readonly (readonly [way: string, trace: string, options: readonly string[]])[] = [
    ['by the name of the service', 'a1'.repeat(16), ['--resolve', `${name}:80:${analytics}`, `http://${name}/who`]],
    ['by its address', 'a2'.repeat(16), [`http://${analytics}/who`]],
    ['with forged headers', 'a3'.repeat(16), [...forged, `http://${analytics}/who`]],
  ];
  for (const [way, trace, options] of refused) {
    it(`refuses payments ${way}, and says why in answer, log, metric and span`, async () => {
      const before = await denials(gate);
      const parent = `traceparent: 00-${trace}-00f067aa0ba902b7-01`;
      const answer = (await curl('payments/payments', '-H', parent, ...options)).stdout;
      expect(answer)
        .to.match(/^HTTP\/1.1 403 /)
        .and.to.match(/x-mesh-denied: /i);
      const { line } = await mesh.line((found) => found.process === gate && found.line.includes(trace));
      expect(JSON.parse(line)).to.include({ status: 403, src_principal: payments });
      expect(line).to.contain('OpaPolicy customer-analytics/domain-isolation');
      expect(await denials(gate)).to.equal(before + 1);
      expect(await span(trace)).to.contain('OpaPolicy customer-analytics/domain-isolation');
    });
  }

  it('refuses payments at the port of the database, and says why in log and metric', async () => {
    const before = await denials(gate);
    const answer = await callTcp(mesh.pod('payments/payments'), store, 6379, 'PING');
    expect(answer).to.include({ received: '' });
    const { line } = await mesh.line((found) => found.process === gate && found.line.includes('never-payments'));
    expect(line).to.contain(payments);
    expect(await denials(gate)).to.equal(before + 1);
  });

  it('refuses payments at the address of the pod, which is behind its waypoint, and says so in log and metric', async () => {
    const { ip } = mesh.pod('customer-analytics/analytics');
    const before = await denials('node-b');
    const answer = await curl('payments/payments', `http://${ip}:8080/who`);
    expect(answer.code).to.not.equal(0);
    const { line } = await mesh.line(
      (found) =>
        found.process === 'ztunnel node-b' && found.line.includes('without its waypoint') && found.line.includes(payments),
    );
    expect(line).to.contain('customer-analytics');
    expect(await denials('node-b')).to.be.above(before);
  });
});
