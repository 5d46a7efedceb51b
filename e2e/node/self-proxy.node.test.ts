/**
 * A node's proxy as a pod of the mesh: whoever scrapes it from inside the mesh does so through a tunnel, and a tunnel reaches nothing
 * of it that is not open to everybody.
 */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import { runIn } from '../harness/command.ts';
import { meshAuthority, writeCredentials } from '../harness/credentials.ts';
import type { Credentials } from '../harness/credentials.ts';
import { callHbone } from '../harness/hbone-client.ts';
import { RunningMesh } from '../harness/mesh.ts';
import { scrape } from '../harness/metrics.ts';

const clientId = 'spiffe://cluster.local/ns/bank/sa/client-sa';
const proxyId = 'spiffe://cluster.local/ns/clearmesh-system/sa/ztunnel';

/** In a cluster the proxy is a Pod; on a simulated node it is a program with the node's address. */
const entry = (ip: string): string => `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ztunnel-node-b, namespace: clearmesh-system, labels: { networking.istio.io/tunnel: http } }
spec: { address: ${ip}, serviceAccount: ztunnel }
`;

const nobody = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nobody, namespace: clearmesh-system }
spec: {}
`;

describe('the pod of a node’s proxy', () => {
  let mesh: RunningMesh;
  let node: { readonly ip: string; readonly namespacePath: string };
  let client: string;
  let outside: string;
  let credentials: Credentials;

  before(async function () {
    this.timeout(90_000);
    mesh = await RunningMesh.start({ manifests: join(import.meta.dirname, '../manifests') });
    node = mesh.ready.nodes.find(({ name }) => name === 'node-b') ?? expect.fail('no node-b');
    client = mesh.pod('bank/client').namespacePath;
    outside = mesh.pod('outside/attacker').namespacePath;
    credentials = await writeCredentials(mesh, await meshAuthority(mesh), 'scraper', { uris: [clientId] });
    await writeFile(join(mesh.directory, 'proxy.yaml'), entry(node.ip));
    await eventually('the proxy is reached through a tunnel', async () => (await tunnelled()) > 0, { pauseMs: 100 });
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  const get = async (path: string): Promise<string> =>
    (await runIn(client, ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '8', `http://${node.ip}:${path}`]))
      .stdout;

  /** Scrapes, and then how many connections the scraped proxy has counted as tunnelled to itself. */
  async function tunnelled(): Promise<number> {
    expect(await get('15020/metrics')).to.equal('200');
    const series = await scrape(mesh, 'node-b', 'istio_tcp_connections_opened_total');
    return series
      .filter(({ labels }) => labels['reporter'] === 'destination' && labels['destination_principal'] === proxyId)
      .reduce((sum, { value }) => sum + value, 0);
  }

  it('gives its metrics through a tunnel to its own address, with its own identity, counted at both ends', async () => {
    const before = await tunnelled();
    expect(await tunnelled()).to.equal(before + 1);
    const arrived = (await scrape(mesh, 'node-b', 'istio_tcp_connections_opened_total')).find(
      ({ labels }) => labels['destination_principal'] === proxyId,
    );
    expect(arrived?.labels).to.include({ connection_security_policy: 'mutual_tls', source_principal: clientId });
    const left = (await scrape(mesh, 'node-a', 'istio_tcp_connections_opened_total')).filter(
      ({ labels }) => labels['reporter'] === 'source' && labels['destination_principal'] === proxyId,
    );
    expect(left.map(({ labels }) => labels['destination_workload'])).to.deep.equal(['ztunnel-node-b']);
  });

  it('gives its readiness there', async () => expect(await get('15021/healthz/ready')).to.equal('200'));

  const closed: readonly [what: string, authority: (ip: string) => string, status: number][] = [
    ['its admin port', (ip) => `${ip}:15000`, 503],
    ['its admin port by loopback', () => '127.0.0.1:15000', 400],
    ['ports of pods', (ip) => `${ip}:15001`, 503],
    ['its own tunnel port', (ip) => `${ip}:15008`, 503],
    ['any other port of the node', (ip) => `${ip}:22`, 503],
    ['the metrics of another address', () => '10.96.1.1:15020', 400],
  ];
  for (const [what, authority, status] of closed) {
    it(`does not open ${what} to a tunnel: ${status}`, async () => {
      const streams = [{ method: 'CONNECT', authority: authority(node.ip) }];
      // Of a pod that nothing is redirected in, so that no other proxy is asked first.
      const { tls, streams: answers } = await callHbone(outside, { host: node.ip, ...credentials, streams });
      expect(tls?.peerUris).to.deep.equal([proxyId]);
      expect(answers.map((answer) => answer.status)).to.deep.equal([status]);
    });
  }

  it('is closed to who proves nothing', async () => {
    const streams = [{ method: 'CONNECT', authority: `${node.ip}:15020` }];
    const outcome = await callHbone(outside, { host: node.ip, ca: credentials.ca, streams });
    expect(outcome.alert, JSON.stringify(outcome)).to.match(/certificate.required/i);
    expect(outcome.streams).to.deep.equal([]);
  });

  it('is gone with its process, and is there again with the next one', async function () {
    this.timeout(60_000);
    process.kill(mesh.processId('ztunnel node-b'), 'SIGTERM');
    await mesh.line(({ process: name, line }) => name === 'ztunnel node-b' && line.includes('shutdown complete'));
    await eventually('the next one is reached', async () => (await get('15020/metrics')) === '200', {
      pauseMs: 100,
      limitMs: 20_000,
    });
    expect(await tunnelled()).to.be.greaterThan(0);
  });

  it('is guarded by policies as any other pod', async () => {
    await writeFile(join(mesh.directory, 'nobody.yaml'), nobody);
    await eventually('the policy takes effect', async () => (await get('15020/metrics')) === '000', { pauseMs: 100 });
  });
});
