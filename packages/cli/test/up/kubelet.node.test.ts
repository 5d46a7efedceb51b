import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { parse } from 'yaml';
import { Lab } from '@clearmesh/lab/lab';
import { ManifestDirectory } from '@clearmesh/control-plane/watch/manifest-directory';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { CapturedPod } from '../../src/up/capture.ts';
import type { DesiredPod } from '../../src/up/desired-pod.ts';
import { Kubelet } from '../../src/up/kubelet.ts';
import type { Wish } from '../../src/up/kubelet.ts';
import { manifestRules } from '../../src/up/manifests.ts';
import { probePort } from '../../src/up/probe.ts';
import { StatusFile } from '../../src/up/status-file.ts';
import { TokenFiles } from '../../src/up/token-files.ts';
import { TokenKey } from '../../src/up/tokens.ts';
import type { TokenClaims } from '../../src/up/tokens.ts';
import { noPlaces } from '../../src/up/waypoint-container.ts';
import { readWish } from '../../src/up/wish.ts';

const bank = fileURLToPath(new URL('../../../../examples/bank', import.meta.url));
const nodes = ['node-a', 'node-b'];
const propagationMs = 200;
const soon = (): AbortSignal => AbortSignal.timeout(15_000);

type Status = Readonly<Record<string, { podIPs: string[]; nodeName: string; ready: boolean; redirection: string }>>;

/** A capture that does nothing but note what it was asked, and what the status file said at that moment. */
class RecordingCapture {
  readonly calls: { readonly call: string; readonly status: string }[] = [];
  readonly #status: () => Promise<Status>;

  constructor(status: () => Promise<Status>) {
    this.#status = status;
  }

  capture(pod: CapturedPod): Promise<void> {
    return this.#note('capture', pod);
  }

  release(pod: CapturedPod): Promise<void> {
    return this.#note('release', pod);
  }

  async #note(call: string, { namespace, name }: CapturedPod): Promise<void> {
    const key = `${namespace}/${name}`;
    this.calls.push({ call: `${call} ${key}`, status: (await this.#status())[key]?.redirection ?? 'unknown' });
  }
}

describe('Kubelet', function () {
  this.timeout(60_000);
  let lab: Lab;
  let kubelet: Kubelet;
  let capture: RecordingCapture;
  let wish: Wish;
  let status: () => Promise<Status>;

  before(async () => {
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger, env };
    const reading = await new ManifestDirectory({ directory: bank, rules: manifestRules }).read(soon());
    if (reading.kind !== 'taken') throw new Error(JSON.stringify(reading.problems));
    const read = readWish(reading.collections, { nodes, current: new Map(), waypoints: noPlaces });
    if (!read.ok) throw new Error(JSON.stringify(read.findings));
    // A waypoint needs a control plane, which is not here.
    wish = { ...read.wish, pods: read.wish.pods.filter(({ tokenFile }) => tokenFile === undefined) };
    lab = await Lab.create({ nodes }, deps);
    await mkdir(join(lab.workDir, 'status'));
    const statusFile = new StatusFile({ path: join(lab.workDir, 'status', 'pods.yaml') });
    status = async () => (parse(await readFile(statusFile.path, 'utf8')) as { pods: Status }).pods;
    capture = new RecordingCapture(status);
    const tokens = new TokenFiles({ ...deps, key: await TokenKey.create() });
    kubelet = new Kubelet(
      { root: bank, scratchDir: join(lab.workDir, 'pods'), propagationMs },
      { ...deps, lab, statusFile, capture, tokens, probe: probePort, say: () => {}, warn: () => {}, onOutput: () => {} },
    );
    kubelet.apply(wish);
    await kubelet.settled(soon());
  });

  after(async () => {
    await kubelet?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  const ask = async (
    key: string,
    method: 'GET' | 'POST',
    path: string,
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const pod = kubelet.sandboxes.find(({ spec }) => spec.key === key);
    const answer = await lab.request(pod!.place.namespacePath, { ip: '127.0.0.1', port: 8080, method, path });
    return { status: answer.status, body: JSON.parse(answer.body) as Record<string, unknown> };
  };
  const change = (key: string, changes: Partial<DesiredPod>): Wish => ({
    ...wish,
    pods: wish.pods.map((pod) => (pod.key === key ? { ...pod, ...changes } : pod)),
  });

  it('runs every pod of the bank and says so in the status file', async () => {
    const pods = await status();
    expect(Object.keys(pods)).to.deep.equal([
      'customer-analytics/analytics-0',
      'customer-analytics/store-0',
      'default/stranger-0',
      'ledger/ledger-0',
      'ledger/ledger-1',
      'payments/payments-0',
    ]);
    expect(Object.values(pods).every(({ ready, redirection }) => ready && redirection === 'disabled')).to.equal(true);
    expect(pods['ledger/ledger-0']!.nodeName).to.equal('node-b');
  });

  it('leads cluster IPs to ready pods', async () => {
    const { status: code, body } = await ask('payments/payments-0', 'POST', '/pay');
    expect([code, (body['booked'] as { iban: string }).iban]).to.deep.equal([200, 'DE89370400440532013000']);
    expect((await ask('customer-analytics/analytics-0', 'GET', '/report')).body['answer']).to.equal(':1');
  });

  it('publishes a capture after it stands, and takes it back before it goes', async () => {
    kubelet.apply(change('payments/payments-0', { enrolled: true }));
    await kubelet.settled(soon());
    expect((await status())['payments/payments-0']!.redirection).to.equal('enabled');
    kubelet.apply(wish);
    await kubelet.settled(soon());
    expect((await status())['payments/payments-0']!.redirection).to.equal('disabled');
    expect(capture.calls).to.deep.equal([
      { call: 'capture payments/payments-0', status: 'disabled' },
      { call: 'release payments/payments-0', status: 'pending' },
    ]);
  });

  it('takes a pod out of service before it ends it, without a failed call', async () => {
    kubelet.apply(change('ledger/ledger-1', { terminating: true }));
    const failures: unknown[] = [];
    while (kubelet.sandboxes.some(({ spec }) => spec.key === 'ledger/ledger-1')) {
      const { status: code, body } = await ask('payments/payments-0', 'POST', '/pay');
      if (code !== 200) failures.push(body);
    }
    expect(failures).to.deep.equal([]);
    // The pod is gone first, the status file says so after: W2.
    await kubelet.settled(soon());
    expect(await status()).not.to.have.property('ledger/ledger-1');
    kubelet.apply(wish);
    await kubelet.settled(soon());
    expect((await status())['ledger/ledger-1']!.ready).to.equal(true);
  });

  it('starts a process that died again, in the same pod', async () => {
    const find = (): (typeof kubelet.sandboxes)[number] => kubelet.sandboxes.find(({ spec }) => spec.key === 'ledger/ledger-0')!;
    const { process, place, uid } = find();
    if (process.kind !== 'running') throw new Error(process.kind);
    process.child.kill();
    await process.child.exited;
    await kubelet.until(() => find().process.kind === 'running' && find().ready, soon());
    expect([find().place.ip, find().uid]).to.deep.equal([place.ip, uid]);
    expect(find().process).not.to.equal(process);
  });

  it('moves a pod whose manifest names another node', async () => {
    kubelet.apply(change('default/stranger-0', { nodeName: 'node-b' }));
    await kubelet.until(
      (pods) => pods.some(({ spec, ready }) => spec.key === 'default/stranger-0' && ready && spec.nodeName === 'node-b'),
      soon(),
    );
    expect((await status())['default/stranger-0']!.nodeName).to.equal('node-b');
  });

  it('gives a pod the token of its own uid and a directory for its files, and takes both away with the pod', async () => {
    const file = join(lab.workDir, 'token');
    const command = ['node', '-e', 'console.log(process.env.TMPDIR); setInterval(() => {}, 1000)'];
    const container = { command, env: {}, envFromFields: {}, workingDir: '.', namedPorts: {} };
    const stranger = wish.pods.find(({ key }) => key === 'default/stranger-0')!;
    const keeper = { ...stranger, key: 'default/keeper', name: 'keeper', container, tokenFile: file };
    kubelet.apply({ ...wish, pods: [...wish.pods, keeper] });
    await kubelet.settled(soon());
    const sandbox = kubelet.sandboxes.find(({ spec }) => spec.key === 'default/keeper')!;
    const { sub, 'kubernetes.io': bound } = decodeJwt<TokenClaims>(await readFile(file, 'utf8'));
    expect([sub, bound.pod, (await stat(file)).mode & 0o777]).to.deep.equal([
      'system:serviceaccount:default:default',
      { name: 'keeper', uid: sandbox.uid },
      0o600,
    ]);
    await sandbox.log.find(0, ({ message }) => message === sandbox.scratch, soon());
    expect((await stat(sandbox.scratch)).isDirectory()).to.equal(true);
    kubelet.apply(wish);
    await kubelet.settled(soon());
    expect([existsSync(file), existsSync(sandbox.scratch)]).to.deep.equal([false, false]);
  });
});
