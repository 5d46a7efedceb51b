import { generateKeyPairSync } from 'node:crypto';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { RootFilesystem } from './root-filesystem.ts';
import type { Ran } from './root-filesystem.ts';

/** Starts the image's program, asks it until it answers, runs another one (THEN), ends it, and prints what was said. */
const ask = `
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
const [url, ...args] = process.argv.slice(1);
const child = spawn(process.execPath, ['/app/main.mjs', ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
const ended = new Promise((resolve) => child.once('exit', resolve));
for (let tries = 0; tries < 200; tries++) {
  const answer = await fetch(url).catch(() => undefined);
  if (answer !== undefined) { console.log('ANSWER', answer.status, await answer.text()); break; }
  if (child.exitCode !== null) break;
  await pause(50);
}
const { THEN } = process.env;
if (THEN !== undefined) {
  const other = spawn(process.execPath, [THEN], { stdio: ['ignore', 'inherit', 'inherit'] });
  console.log('THEN', await new Promise((resolve) => other.once('exit', resolve)));
}
child.kill('SIGTERM');
console.log('ENDED', await ended);
`;

/** Loads a bundle of rules in a worker as the waypoint does, and prints the worker's first word. */
const loadRules = `
import { readFileSync } from 'node:fs';
import { MessageChannel, Worker } from 'node:worker_threads';
const { port1, port2 } = new MessageChannel();
const workerData = { port: port2, wasm: readFileSync('/tmp/policy.wasm'), data: '{}', path: 'envoy/authz/allow', maxPages: 2048 };
const worker = new Worker('/app/waypoint-authorise-opa-wasm-worker.mjs', { workerData, transferList: [port2], execArgv: [] });
port1.once('message', (message) => { console.log(JSON.stringify(message)); process.exit(0); });
worker.once('error', (error) => { console.error(error); process.exit(1); });
`;

const namespaceManifest = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: ledger }\n';
const remotes = { XDS_ADDRESS: 'https://control-plane.invalid:15012', CA_ADDRESS: 'https://control-plane.invalid:15012' };

describe('an image, run from its own root file system', function () {
  this.timeout(120_000);

  it('serves a directory as control plane, as nobody in particular', async () => {
    await using root = await RootFilesystem.of('control-plane');
    await mkdir(join(root.path, 'tmp/manifests'));
    await writeFile(join(root.path, 'tmp/manifests/namespace.yaml'), namespaceManifest);
    await writeFile(join(root.path, 'tmp/keys.json'), JSON.stringify({ keys: [publicKey()] }));
    const flags = ['--directory', '/tmp/manifests', '--state', '/tmp/state', '--token-keys', '/tmp/keys.json'];
    const listening = ['--listen', '127.0.0.1:15012', '--admin', '127.0.0.1:15014'];
    const told = await answerOf(root, 'http://127.0.0.1:15014/healthz/ready', ['serve', ...flags, ...listening]);
    expect(told).to.contain('ANSWER 200').and.to.contain('ENDED 0');
  });

  it('passes the test that helm runs, as control plane', async () => {
    await using root = await RootFilesystem.of('control-plane');
    const name = 'clearmesh-control-plane.clearmesh-system.svc';
    await mkdir(join(root.path, 'tmp/manifests'));
    await writeFile(join(root.path, 'tmp/manifests/namespace.yaml'), namespaceManifest);
    await writeFile(join(root.path, 'tmp/keys.json'), JSON.stringify({ keys: [publicKey()] }));
    await writeFile(join(root.path, 'etc/hosts'), `127.0.0.1 ${name}\n`);
    await mkdir(join(root.path, 'var/run/secrets'), { recursive: true });
    // What the control plane writes there, a pod finds there.
    await symlink('/tmp/state', join(root.path, 'var/run/secrets/istio'));
    await copyFile(new URL('../../../charts/control-plane/files/test.mjs', import.meta.url), join(root.path, 'tmp/test.mjs'));
    const flags = ['--directory', '/tmp/manifests', '--state', '/tmp/state', '--token-keys', '/tmp/keys.json'];
    const listening = ['--listen', '127.0.0.1:15012', '--admin', '127.0.0.1:15014'];
    const url = 'http://127.0.0.1:15014/healthz/ready';
    const told = await answerOf(root, url, ['serve', ...flags, ...listening], { CONTROL_PLANE: name, THEN: '/tmp/test.mjs' });
    expect(told)
      .to.match(/^ok {4}http:.*15014/m)
      .and.to.match(/^ok {4}the certificate of .*: valid until/m);
    expect(told).to.contain('THEN 0').and.not.to.contain('WRONG');
  });

  it('knows how to ask a cluster, and says that this is none', async () => {
    await using root = await RootFilesystem.of('control-plane');
    const { status, stderr } = await root.runMain(['serve', '--kubernetes', '--listen', '127.0.0.1:15012']);
    expect(stderr).to.contain('this is no pod of a cluster');
    expect(status).to.equal(2);
  });

  it('starts as ztunnel, with its native calls', async () => {
    await using root = await RootFilesystem.of('ztunnel');
    const told = await answerOf(root, 'http://127.0.0.1:15021/healthz/ready', [], { ...remotes, NODE_NAME: 'vault-a' });
    expect(told).to.contain('ztunnel started').and.to.contain('ANSWER 500').and.to.contain('ENDED 0');
  });

  it('starts as waypoint, with tracing', async () => {
    await using root = await RootFilesystem.of('waypoint');
    const own = { GATEWAY_NAME: 'ledger-waypoint', POD_NAMESPACE: 'ledger', POD_NAME: 'ledger-waypoint-0' };
    const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
    const told = await answerOf(root, 'http://127.0.0.1:15020/metrics', [], { ...remotes, ...own, ...tracing });
    expect(told).to.contain('waypoint started').and.to.contain('ANSWER 200').and.to.contain('ENDED 0');
  });

  it('loads rules in a worker of the waypoint', async () => {
    await using root = await RootFilesystem.of('waypoint');
    const rules = await readFile(new URL('../../../examples/bank/bundles/four-eyes/policy.wasm', import.meta.url));
    await writeFile(join(root.path, 'tmp/policy.wasm'), rules);
    const { stdout, stderr } = await root.run(['/usr/local/bin/node', '--input-type=module', '-e', loadRules]);
    expect(`${stdout}${stderr}`).to.contain('"kind":"ready"');
  });

  it('tells its version as clearmesh', async () => {
    await using root = await RootFilesystem.of('cli');
    const { status, stdout } = await root.runMain(['version']);
    expect(stdout).to.match(/^clearmesh \d+\.\d+\.\d+ \(Node v26\./);
    expect(status).to.equal(0);
  });

  for (const service of ['payments', 'ledger', 'customer-analytics', 'store']) {
    it(`serves ${service} of the bank`, async () => {
      await using root = await RootFilesystem.of('bank');
      const told = await answerOf(root, 'http://127.0.0.1:8080/healthz', [service]);
      expect(told).to.contain('ANSWER 200 {"serves":true}').and.to.contain('ENDED 0');
    });
  }

  it('says which services the bank has', async () => {
    await using root = await RootFilesystem.of('bank');
    const { status, stderr } = await root.runMain(['vault']);
    expect(stderr).to.equal(
      'There is no service "vault" in this bank; services: payments, ledger, customer-analytics, store, stranger.\n',
    );
    expect(status).to.equal(2);
  });

  it('looks names up in the hosts file, and trusts the certificates of the machine', async () => {
    await using root = await RootFilesystem.of('bank');
    await writeFile(join(root.path, 'etc/hosts'), '192.0.2.7 ledger.bank.example\n');
    const script = [
      "console.log((await (await import('node:dns/promises')).lookup('ledger.bank.example')).address);",
      "const { rootCertificates } = await import('node:tls'); console.log(rootCertificates.length > 100);",
      "console.log((await import('node:fs')).readFileSync('/etc/ssl/certs/ca-certificates.crt', 'utf8').includes('BEGIN CERTIFICATE'));",
    ].join('\n');
    const { stdout } = await root.run(['/usr/local/bin/node', '--input-type=module', '-e', script]);
    expect(stdout).to.equal('192.0.2.7\ntrue\ntrue\n');
  });
});

/** A key for tokens, as the control plane wants to have one. */
function publicKey(): object {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' };
}

async function answerOf(
  root: RootFilesystem,
  url: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const ran: Ran = await root.run(['/usr/local/bin/node', '--input-type=module', '-e', ask, url, ...args], env);
  return `${ran.stdout}${ran.stderr}`;
}
