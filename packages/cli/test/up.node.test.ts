import { expect } from 'chai';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { editManifest } from '../src/demo/manifest-edit.ts';
import { leftovers, patienceMs, Run } from './command-run.ts';

const bank = fileURLToPath(new URL('../../../examples/bank', import.meta.url));
const broken = fileURLToPath(new URL('fixtures/broken', import.meta.url));
/** What "within a second" may take on a machine that does other things too, milliseconds. */
const soonMs = 3000;

describe('clearmesh up', function () {
  this.timeout(2 * patienceMs);
  let directory: string;
  let run: Run;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-up-'));
    await cp(bank, directory, { recursive: true });
    run = new Run('up', '-f', directory, '--nodes', '3', '-o', 'json');
    await run.says(/pod payments\/payments-0: ready/);
  });
  after(async () => {
    run?.child.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });

  /** Milliseconds from the change until it shows. */
  const follow = async (change: () => Promise<unknown>, pattern: RegExp): Promise<number> => {
    const started = performance.now();
    await change();
    await run.says(pattern);
    return performance.now() - started;
  };

  it('makes the nodes that the manifests name, and as many as asked for', () => {
    expect(run.stderr).to.include('making nodes node-a, node-b, node-c');
  });

  it('follows a label of a namespace', async () => {
    const label = { path: ['metadata', 'labels', 'istio.io/dataplane-mode'], value: 'ambient' };
    const object = { kind: 'Namespace', name: 'ledger' };
    expect(await follow(() => editManifest(directory, object, [label]), /ledger-0: in the mesh, captured on node-b/)).to.be.below(
      soonMs,
    );
    const back = { ...label, value: undefined };
    expect(await follow(() => editManifest(directory, object, [back]), /ledger-0: out of the mesh/)).to.be.below(soonMs + 1000);
  });

  it('says what is wrong with an edit, keeps everything running, and takes the next good one', async () => {
    const file = join(directory, 'stranger.yaml');
    const good = await readFile(file, 'utf8');
    const spoil = (): Promise<void> => writeFile(file, good.replace('nodeName: node-a', 'nodeName: node-z'));
    expect(
      await follow(spoil, /stranger\.yaml:9:13: Pod default\/stranger-0: spec\.nodeName: is no node here \(found "node-z"\)/),
    ).to.be.below(soonMs);
    expect(run.stderr).to.include('Write one of node-a, node-b, node-c, or leave it out');
    const half = (): Promise<void> => writeFile(file, good.slice(0, good.indexOf('nodeName') - 3));
    const mend = (): Promise<void> => writeFile(file, good.replace('nodeName: node-a', 'nodeName: node-c'));
    await half();
    expect(await follow(mend, /default\/stranger-0: ready on node-c/)).to.be.below(soonMs + 1000);
    expect(run.stderr).not.to.match(/(payments-0|ledger-\d|store-0|analytics-0): (stopped|ended)/);
  });

  it('starts a pod that is added, and stops one that is taken away', async () => {
    const file = join(directory, 'teller.yaml');
    const manifest = `apiVersion: v1\nkind: Pod\nmetadata: { name: teller-0, namespace: payments }\nspec:\n  containers: [{ name: t, command: [sleep, '600'] }]\n`;
    expect(await follow(() => writeFile(file, manifest), /payments\/teller-0: ready/)).to.be.below(soonMs);
    expect(await follow(() => rm(file), /payments\/teller-0: stopped/)).to.be.below(soonMs + 1000);
  });

  it('tells the status of objects to clearmesh get, of the directory that it runs', async () => {
    await run.says(/ledger-waypoint-0: ready/);
    const get = async (...args: readonly string[]): Promise<Run> => {
      const asked = new Run('get', ...args, '-f', directory);
      await asked.ended;
      return asked;
    };
    const { stdout } = await get('gateway', 'ledger-waypoint', '-o', 'json');
    const { objects } = JSON.parse(stdout) as {
      readonly objects: Readonly<Record<string, { readonly conditions: readonly object[] }>>;
    };
    expect(objects['Gateway ledger/ledger-waypoint']!.conditions).to.deep.include({
      type: 'Programmed',
      status: 'True',
      reason: 'Programmed',
      message: 'the waypoint is served at ledger-waypoint.ledger.svc.cluster.local:15008',
    });
    expect((await get('opapolicies', '-n', 'ledger')).stdout).to.match(
      /OpaPolicy +ledger +four-eyes +Accepted +False +AncestorNotBound/,
    );
    expect((await get('namespaces')).stdout).to.match(/Namespace +- +payments +- +- +-/);
  });

  it('runs as many pods as a Gateway asks for, and none without it', async () => {
    const object = { kind: 'Gateway', namespace: 'ledger', name: 'ledger-waypoint' };
    const replicas = { path: ['metadata', 'annotations', 'clearmesh.io/replicas'], value: '2' };
    await follow(() => editManifest(directory, object, [replicas]), /ledger-waypoint-1: ready/);
    await follow(
      () => rm(join(directory, 'ledger-waypoint.yaml')),
      /ledger-waypoint-0: stopped[^]*ledger-waypoint-1: stopped|ledger-waypoint-1: stopped[^]*ledger-waypoint-0: stopped/,
    );
    expect(run.stderr).not.to.match(/ledger-waypoint-\d: ended by itself/);
  });

  it('tells the traffic once a second as JSON, until SIGTERM, and leaves nothing behind', async () => {
    await run.says(/"event":"traffic"/);
    run.child.kill('SIGTERM');
    const { status } = await run.ended;
    expect([status, leftovers(run.lab)]).to.deep.equal([0, []]);
    const events = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly event: string });
    expect(new Set(events.map(({ event }) => event))).to.include.keys('ready', 'line', 'traffic');
  });

  it('starts nothing for a directory with an error, and says where it is', async () => {
    const refused = new Run('up', '-f', broken);
    const { status } = await refused.ended;
    expect(status).to.equal(2);
    expect(refused.stderr).to.match(
      /bank\.yaml:12:16: Pod bank\/teller: spec\.containers\[0\]\.command: must be a list of texts/,
    );
    expect(refused.stderr).to.include('→ Write one item each');
    expect(refused.lab).to.equal('');
  });

  it('starts nothing for what is no directory', async () => {
    const refused = new Run('up', '-f', join(directory, 'nowhere'));
    const { status } = await refused.ended;
    expect([status, refused.stderr.includes('nowhere is not a directory')]).to.deep.equal([2, true]);
  });

  it('has nothing to get where no mesh runs', async () => {
    const asked = new Run('get', 'all', '-f', directory);
    const { status } = await asked.ended;
    expect([status, asked.stderr.includes(`no mesh runs ${directory}`), asked.stderr.includes('clearmesh up -f')]).to.deep.equal([
      2,
      true,
      true,
    ]);
  });
});
