import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { Lab } from '../src/lab.ts';
import type { LabPod } from '../src/lab.ts';
import { isRunning, stampOf } from '../src/process/proc-stat.ts';
import { get, labDeps, serve, twoNodes } from './lab-bed.ts';

async function namespacesOf(id: string): Promise<readonly string[]> {
  return (await readdir('/run/netns').catch(() => [])).filter((name) => name.startsWith(`cm-${id}-`));
}

async function codeOf(attempt: Promise<unknown>): Promise<string | undefined> {
  return attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof MeshError ? error.code : String(error)),
  );
}

describe('a lab with a pod on each of two nodes', function () {
  this.timeout(20_000);
  let lab: Lab;
  let client: LabPod;
  let server: LabPod;
  before(async () => {
    ({ lab, client, server } = await twoNodes());
    await serve(lab, server, 'server');
    await serve(lab, client, 'client');
  });
  after(() => lab[Symbol.asyncDispose]());

  it('carries connections between the pods, with their own addresses', async () => {
    expect([client.ip, server.ip]).to.deep.equal(['10.244.1.2', '10.244.2.2']);
    expect(await get(lab, client.namespacePath, server.ip, 8080)).to.equal(`server saw ${client.ip}`);
    expect(await get(lab, server.namespacePath, client.ip, 8080)).to.equal(`client saw ${server.ip}`);
  });

  it('lets nodes and the control plane reach pods, from the one address each has', async () => {
    const [nodeA, nodeB] = lab.nodes;
    expect(await get(lab, nodeA!.namespacePath, server.ip, 8080)).to.equal(`server saw ${nodeA!.ip}`);
    expect(await get(lab, nodeB!.namespacePath, server.ip, 8080)).to.equal(`server saw ${nodeB!.ip}`);
    expect(await get(lab, lab.control.namespacePath, server.ip, 8080)).to.equal(`server saw ${lab.control.ip}`);
  });

  it('lets every node reach the control plane', async () => {
    const program = `require('http').createServer((request, response) => response.end(request.socket.remoteAddress)).listen(15012, '${lab.control.ip}', () => console.log('up'))`;
    const up = Promise.withResolvers<void>();
    const command = [process.execPath, '-e', program];
    const control = await lab.spawn({
      name: 'control',
      namespacePath: lab.control.namespacePath,
      command,
      onLine: () => up.resolve(),
    });
    await up.promise;
    for (const { namespacePath, ip } of lab.nodes) expect(await get(lab, namespacePath, lab.control.ip, 15012)).to.equal(ip);
    await control.stop(2000);
  });

  it('routes spoofed sources: no reverse-path check anywhere', async () => {
    const settings = ['all', 'default', 'lo', 'eth0'].map((device) => `/proc/sys/net/ipv4/conf/${device}/rp_filter`);
    const child = await lab.spawn({ name: 'cat', namespacePath: client.namespacePath, command: ['cat', ...settings] });
    await child.exited;
    expect(child.tail()).to.deep.equal(['0', '0', '0', '0']);
  });

  it('sends nothing on a quiet link', async () => {
    await using tap = await lab.wiretap('node-a', 'node-b');
    expect(await tap.packets()).to.deep.equal([]);
  });

  it('sends cluster IPs to endpoints on every node, resets those without, and forgets removed ones', async () => {
    const endpoints = [client, server].map(({ ip }) => ({ ip, port: 8080 }));
    await lab.setServices([
      { vip: '10.96.0.10', port: 80, endpoints: [endpoints[1]!] },
      { vip: '10.96.0.11', port: 80, endpoints: [] },
      { vip: '10.96.0.12', port: 80, endpoints },
    ]);
    const third = await lab.addPod({ node: 'node-b', namespace: 'bank', name: 'third' });
    expect(await get(lab, client.namespacePath, '10.96.0.10', 80)).to.equal(`server saw ${client.ip}`);
    expect(await get(lab, third.namespacePath, '10.96.0.10', 80)).to.equal(`server saw ${third.ip}`);
    expect(await get(lab, third.namespacePath, '10.96.0.11', 80)).to.equal('ECONNREFUSED');

    const answers = await Promise.all(Array.from({ length: 40 }, () => get(lab, third.namespacePath, '10.96.0.12', 80)));
    expect(new Set(answers)).to.deep.equal(new Set([`client saw ${third.ip}`, `server saw ${third.ip}`]));

    await lab.setServices([{ vip: '10.96.0.11', port: 80, endpoints: [endpoints[1]!] }]);
    expect(await get(lab, third.namespacePath, '10.96.0.11', 80)).to.equal(`server saw ${third.ip}`);
    expect(await get(lab, third.namespacePath, '10.96.0.10', 80)).to.match(/^E(HOST|NET)UNREACH$/);
    await lab.removePod(third);
  });

  it('lets a pod call itself through its own cluster IP', async () => {
    await lab.setServices([{ vip: '10.96.0.10', port: 80, endpoints: [{ ip: server.ip, port: 8080 }] }]);
    expect(await get(lab, server.namespacePath, '10.96.0.10', 80)).to.equal(`server saw ${lab.node('node-b').ip}`);
  });

  it('takes a pod away with its processes, and gives its address again', async () => {
    const pod = await lab.addPod({ node: 'node-a', namespace: 'bank', name: 'brief' });
    const child = await serve(lab, pod, 'brief');
    await lab.removePod(pod);
    expect(await child.exited).to.deep.equal({ code: null, signal: 'SIGTERM' });
    expect(existsSync(pod.namespacePath)).to.equal(false);
    expect(lab.pods.map(({ name }) => name)).to.deep.equal(['client', 'server']);
    expect(await get(lab, server.namespacePath, pod.ip, 8080)).to.match(/^E(HOST|NET)UNREACH$/);
    const next = await lab.addPod({ node: 'node-a', namespace: 'bank', name: 'brief' });
    expect(next.ip).to.equal(pod.ip);
    await lab.removePod(next);
  });

  it('refuses a pod that exists, an address of another node, and unknown nodes', async () => {
    expect(await codeOf(lab.addPod({ node: 'node-b', namespace: 'bank', name: 'client' }))).to.equal('MESH-CONFIG-003');
    expect(await codeOf(lab.addPod({ node: 'node-a', namespace: 'bank', name: 'x', ip: '10.244.2.9' }))).to.equal(
      'MESH-CONFIG-003',
    );
    expect(await codeOf(lab.addPod({ node: 'node-c', namespace: 'bank', name: 'x' }))).to.equal('MESH-CONFIG-003');
    expect(await codeOf(lab.wiretap('node-a', 'node-a'))).to.equal('MESH-CONFIG-003');
    expect(() => lab.node('node-c')).to.throw(MeshError, 'no node "node-c"');
    expect(await namespacesOf(lab.id)).to.have.length(5);
  });

  it('unmakes a pod that cannot be made whole', async () => {
    const spec = { node: 'node-a', namespace: 'bank', name: 'halfway' };
    const squatter = await lab.spawn({ name: 'ip', command: ['ip', 'netns', 'add', `cm-${lab.id}-bank.halfway`] });
    await squatter.exited;
    expect(await codeOf(lab.addPod(spec))).to.equal('MESH-LAB-001');
    const pod = await lab.addPod(spec);
    expect(pod.ip).to.equal('10.244.1.3');
    await lab.removePod(pod);
  });

  it('refuses an id that another lab uses, and leaves that one alone', async () => {
    expect(await codeOf(Lab.create({ id: lab.id, nodes: ['n'] }, labDeps))).to.equal('MESH-LAB-001');
    expect(await get(lab, client.namespacePath, server.ip, 8080)).to.equal(`server saw ${client.ip}`);
  });
});

describe('a lab', function () {
  this.timeout(20_000);

  it('leaves nothing when it is disposed of: namespaces, processes, files', async () => {
    const { lab, server } = await twoNodes();
    const child = await serve(lab, server, 'server');
    const stamp = stampOf(child.pid)!;
    const record = `/run/clearmesh/labs/${lab.id}.json`;
    expect(JSON.parse(readFileSync(record, 'utf8'))).to.deep.include({
      processes: [stamp],
      workDir: `/run/clearmesh/work/${lab.id}`,
    });
    await lab[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
    expect(isRunning(stamp)).to.equal(false);
    expect(await namespacesOf(lab.id)).to.deep.equal([]);
    expect([existsSync(record), existsSync(lab.workDir)]).to.deep.equal([false, false]);
    expect(await codeOf(lab.spawn({ name: 'late', command: ['true'] }))).to.equal('MESH-LAB-001');
  });

  it('works with a single node, and keeps a work directory it was given', async () => {
    const workDir = await mkdtemp(join(tmpdir(), 'clearmesh-lab-'));
    const progress: string[] = [];
    const lab = await Lab.create({ nodes: ['only'], workDir, onProgress: (line) => void progress.push(line) }, labDeps);
    const pwd = await lab.spawn({ name: 'pwd', command: ['pwd'] });
    await pwd.exited;
    expect(pwd.tail()).to.deep.equal([workDir]);
    expect(progress.at(-1)).to.equal(`making node only (lab ${lab.id})`);
    await lab[Symbol.asyncDispose]();
    expect(existsSync(workDir)).to.equal(true);
    await rm(workDir, { recursive: true });
  });

  it('is unmade when it cannot be made whole', async () => {
    // The work directory's place is taken by a file.
    const attempt = Lab.create({ id: 'broken', nodes: ['n'], workDir: '/proc/version' }, labDeps);
    expect(await codeOf(attempt)).to.not.equal(undefined);
    expect(await namespacesOf('broken')).to.deep.equal([]);
    expect(existsSync('/run/clearmesh/labs/broken.json')).to.equal(false);
  });

  it('is unmade when its making is aborted', async () => {
    const attempt = Lab.create({ id: 'aborted', nodes: ['n'], signal: AbortSignal.abort(new Error('enough')) }, labDeps);
    expect(await codeOf(attempt)).to.include('enough');
    expect(await namespacesOf('aborted')).to.deep.equal([]);
    expect(existsSync('/run/clearmesh/labs/aborted.json')).to.equal(false);
  });

  it('names every two of three nodes to each other', async () => {
    await using lab = await Lab.create({ nodes: ['a', 'b', 'c'] }, labDeps);
    const pods = await Promise.all(lab.nodes.map(({ name }) => lab.addPod({ node: name, namespace: 'x', name: `on-${name}` })));
    await Promise.all(pods.map((pod) => serve(lab, pod, pod.name)));
    for (const from of pods) {
      for (const to of pods) {
        if (from !== to) expect(await get(lab, from.namespacePath, to.ip, 8080)).to.equal(`${to.name} saw ${from.ip}`);
      }
    }
  });
});
