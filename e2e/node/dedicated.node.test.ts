/** Proxies of one workload each (PROXY_MODE=dedicated), with each other, with a node's proxy, and with pods of no mesh. */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@clearmesh/shared/testing/ask-until';
import type { ChildProgram } from '@clearmesh/shared/testing/child-program';
import { runIn } from '../harness/command.ts';
import { isReady, spawnDedicated, startDedicated } from '../harness/dedicated-proxy.ts';
import { RunningMesh } from '../harness/mesh.ts';
import type { MeshPod } from '../harness/mesh.ts';
import { scrape, scrapeIn } from '../harness/metrics.ts';
import type { Series } from '../harness/metrics.ts';
import { callTcp } from '../harness/tcp-client.ts';
import { TokenMaker } from '../harness/token-maker.ts';

const opened = 'istio_tcp_connections_opened_total';
const teller = 'spiffe://cluster.local/ns/branch/sa/teller-sa';
const vault = 'spiffe://cluster.local/ns/branch/sa/vault-sa';

/** `reporter security source -> destination` of each series, by its principals, to how many were counted. */
function counted(series: readonly Series[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    series.map(({ labels, value }) => [
      `${labels['reporter']} ${labels['connection_security_policy']} ${labels['source_workload']} -> ${labels['destination_workload']}`,
      value,
    ]),
  );
}

describe('proxies of one workload each', () => {
  let mesh: RunningMesh;
  let tokens: TokenMaker;
  const proxies: ChildProgram[] = [];

  before(async function () {
    this.timeout(90_000);
    mesh = await RunningMesh.start({
      manifests: join(import.meta.dirname, '../manifests'),
      beside: { 'manifests/branch.yaml': join(import.meta.dirname, '../manifests-dedicated/branch.yaml') },
    });
    tokens = await TokenMaker.create(mesh);
    for (const name of ['teller', 'vault', 'kiosk'])
      proxies.push(await startDedicated(mesh, tokens, pod(name), { serviceAccount: `${name}-sa`, privileged: name !== 'kiosk' }));
  });
  after(async () => {
    for (const proxy of proxies) await proxy.stop(10_000);
    await mesh?.[Symbol.asyncDispose]();
  });

  const pod = (name: string): MeshPod => mesh.pod(`branch/${name}`);
  const countedIn = async (name: string): Promise<Readonly<Record<string, number>>> =>
    counted(await scrapeIn(pod(name).namespacePath, opened));
  const received = async (from: MeshPod, to: MeshPod, text: string): Promise<string> =>
    (await callTcp(from, to.ip, 8080, text)).received;

  it('are joined by a tunnel, which both count, and the application sees its client’s address', async () => {
    expect(await received(pod('teller'), pod('vault'), 'question')).to.equal('question');
    expect(await countedIn('teller')).to.deep.equal({ 'source mutual_tls teller -> vault': 1 });
    expect(await countedIn('vault')).to.deep.equal({ 'destination mutual_tls teller -> vault': 1 });
    const [series] = await scrapeIn(pod('vault').namespacePath, opened);
    expect(series?.labels).to.include({ source_principal: teller, destination_principal: vault });
    const lines = mesh
      .linesOf('branch/vault')
      .map((line) => JSON.parse(line) as { readonly event: string; readonly from: string });
    expect(lines.find(({ event }) => event === 'connection')?.from).to.equal(pod('teller').ip);
  });

  it('take a tunnel of a node’s proxy, which both count', async () => {
    expect(await received(mesh.pod('bank/client'), pod('vault'), 'from a node')).to.equal('from a node');
    expect(await countedIn('vault')).to.include({ 'destination mutual_tls client -> vault': 1 });
    expect(counted(await scrape(mesh, 'node-a', opened))).to.include({ 'source mutual_tls client -> vault': 1 });
  });

  it('open a tunnel to a node’s proxy, which both count', async () => {
    expect(await received(pod('teller'), mesh.pod('bank/server'), 'to a node')).to.equal('to a node');
    expect(await countedIn('teller')).to.include({ 'source mutual_tls teller -> server': 1 });
    expect(counted(await scrape(mesh, 'node-b', opened))).to.include({ 'destination mutual_tls teller -> server': 1 });
  });

  it('are joined by tunnels in both directions where one of them has no capability', async () => {
    expect(await received(pod('teller'), pod('kiosk'), 'to the kiosk')).to.equal('to the kiosk');
    expect(await countedIn('kiosk')).to.deep.equal({ 'destination mutual_tls teller -> kiosk': 1 });
    expect(await received(pod('kiosk'), pod('vault'), 'of the kiosk')).to.equal('of the kiosk');
    expect(await countedIn('vault')).to.include({ 'destination mutual_tls kiosk -> vault': 1 });
  });

  it('call a pod that is not captured in plain text, and count that at their own end', async () => {
    expect(await received(pod('teller'), mesh.pod('outside/open'), 'plain')).to.equal('plain');
    expect(await countedIn('teller')).to.include({ 'source unknown teller -> open': 1 });
  });

  it('refuse plain text of a pod that is not captured, until it is allowed, and count it at their own end', async () => {
    const attacker = mesh.pod('outside/attacker');
    expect(await received(attacker, pod('vault'), 'plain')).to.equal('');
    const until = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
    const permissive = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: moving-in, namespace: branch, annotations: { clearmesh.io/permissive-until: '${until}' } }
spec: { mtls: { mode: PERMISSIVE } }
`;
    await writeFile(join(mesh.directory, 'permissive.yaml'), permissive);
    await eventually('plain text is let in', async () => (await received(attacker, pod('vault'), 'plain')) === 'plain');
    expect(await countedIn('vault')).to.have.property('destination unknown attacker -> vault');
  });

  it('hold the certificate of their workload, and no other', async () => {
    const { stdout } = await runIn(pod('teller').namespacePath, ['curl', '-s', 'http://127.0.0.1:15000/config_dump']);
    const { certificates } = JSON.parse(stdout) as { readonly certificates: readonly { readonly identity: string }[] };
    expect(certificates.map(({ identity }) => identity)).to.deep.equal([teller]);
  });

  it('get nothing from the control plane where their token is of another account', async () => {
    const place = mesh.pod('outside/open');
    const accounts = { serviceAccount: 'vault-sa', tokenAccount: 'default' };
    const stranger = await spawnDedicated(mesh, tokens, place, accounts);
    try {
      const said = mesh.line(({ process: name, line }) => name === 'control-plane' && line.includes('discovery refused'));
      const { line } = await Promise.race([said, stranger.mustRun()]);
      expect(JSON.parse(line)).to.include({
        reason: 'node account "vault-sa" is not the token’s (default)',
        account: 'outside/default',
      });
      expect(await isReady(place)).to.equal(false);
    } finally {
      await stranger.stop(10_000);
    }
  });

  it('drain on SIGTERM and end with status 0', async () => {
    const [first] = proxies;
    await first!.stop(10_000);
    expect(await first!.exited, first!.tail).to.equal('ended with code 0');
  });
});
