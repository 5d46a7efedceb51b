/** Proxies that ask the control plane for what connections need (`XDS_ON_DEMAND`), as processes. */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runIn } from '../harness/command.ts';
import { RunningMesh } from '../harness/mesh.ts';
import { scrape } from '../harness/metrics.ts';

const vip = '10.96.2.1';

describe('proxies that ask for the mesh on demand', () => {
  let mesh: RunningMesh;

  before(async function () {
    this.timeout(120_000);
    mesh = await RunningMesh.start({
      manifests: join(import.meta.dirname, '../manifests-waypoint'),
      env: { XDS_ON_DEMAND: 'true', ISTIO_META_DNS_CAPTURE: 'false' },
      timeoutMs: 90_000,
    });
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  async function ask(url: string): Promise<string> {
    const { stdout } = await runIn(mesh.pod('callers/caller').namespacePath, ['curl', '-sS', '--max-time', '10', url]);
    return stdout;
  }

  /** Names of workloads and services that the ztunnel of a node holds. */
  async function known(node: string): Promise<readonly string[]> {
    const place = mesh.ready.nodes.find(({ name }) => name === node)?.namespacePath ?? '';
    const { stdout } = await runIn(place, ['curl', '-sS', '--max-time', '5', 'http://127.0.0.1:15000/config_dump']);
    const { workloads, services } = JSON.parse(stdout) as Record<'workloads' | 'services', readonly { readonly name: string }[]>;
    return [...workloads, ...services].map(({ name }) => name).toSorted();
  }

  it('know the pods of their own node before anybody calls', async () => {
    expect(await known('node-a')).to.deep.equal(['caller', 'gate-0', 'gate-1']);
  });

  it('carry a first call through a waypoint they had not heard of, and ask for no more than it needs', async () => {
    expect(await ask(`http://${vip}/who`)).to.match(/"name":"server-\d"/);
    expect(await known('node-a')).to.deep.equal([
      'caller',
      'gate',
      'gate-0',
      'gate-1',
      'server',
      'server-0',
      'server-1',
      'server-2',
      'server-3',
      'server-4',
    ]);
    const waits = await scrape(mesh, 'node-a', 'clearmesh_on_demand_waits_total');
    expect(waits.map(({ labels, value }) => [labels['outcome'], value])).to.deep.equal([['answered', 1]]);
  });

  it('let nobody by the waypoint, on the accepting side either', async () => {
    const pod = mesh.pod('domain/server-0');
    expect(await ask(`http://${pod.ip}:8080/who`)).to.equal('');
  });

  it('find a service that is added, and one that was asked for before it was there', async () => {
    const added = '10.96.2.77';
    expect(await ask(`http://${added}/who`)).to.equal('');
    const file = join(mesh.directory, 'added.yaml');
    const text = await readFile(join(mesh.directory, 'domain.yaml'), 'utf8');
    const service = text.split('---\n').find((document) => document.includes('kind: Service\n'));
    await writeFile(file, service!.replace('name: server, ', 'name: added, ').replace('10.96.2.1', added));
    for (let tries = 0; tries < 100; tries++) if ((await ask(`http://${added}/who`)) !== '') break;
    expect(await ask(`http://${added}/who`)).to.match(/"name":"server-\d"/);
  });

  it('serve on with what they know while the control plane stands still, and refuse what they do not know', async () => {
    const control = mesh.processId('control-plane');
    process.kill(control, 'SIGSTOP');
    try {
      expect(await ask(`http://${vip}/who`)).to.match(/"name":"server-\d"/);
      const before = await denials();
      expect(await ask('http://10.96.2.99/who')).to.equal('');
      expect((await denials()) - before).to.equal(1);
    } finally {
      process.kill(control, 'SIGCONT');
    }
  });

  async function denials(): Promise<number> {
    const series = await scrape(mesh, 'node-a', 'clearmesh_denials_total');
    return series.filter(({ labels }) => labels['reason'] === 'not-discovered').reduce((sum, { value }) => sum + value, 0);
  }
});
