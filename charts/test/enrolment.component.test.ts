import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { expect } from 'chai';
import { parse } from 'yaml';
import { chartPath, render } from './helm.ts';
import { objectsIn, textOf } from './objects.ts';
import type { KubernetesObject, Workload } from './objects.ts';

const run = promisify(execFile);

type Job = Workload & { readonly metadata: { readonly annotations: Readonly<Record<string, string>> } };
type Container = { readonly env: readonly { readonly name: string; readonly value: string }[]; readonly args: readonly string[] };

describe('the enrolment of namespaces at a waypoint', function () {
  this.timeout(120_000);
  let api: ApiServer;

  before(async () => {
    api = await ApiServer.start();
    for (const name of ['ledger', 'cards', 'loans']) await api.kubectl(['create', 'namespace', name]);
  });
  after(() => api[Symbol.asyncDispose]());

  /** Runs the program of the hook as the account that the chart makes for it, and with its rights. */
  const runHook = async (event: string, settings: string): Promise<string> => {
    const objects = objectsIn(await render('waypoint', ['--set', `name=shared,allowedRoutes.from=All,${settings}`], 'ledger'));
    const hook = objects.filter((object) => annotationsOf(object)['helm.sh/hook'] === event);
    await api.apply(textOf(hook.filter(({ kind }) => kind !== 'Job')));
    const job = hook.find(({ kind }) => kind === 'Job') as Job;
    const { containers, serviceAccountName } = job.spec.template.spec as {
      readonly containers: readonly [Container];
      readonly serviceAccountName: string;
    };
    const folder = api.directory;
    await writeFile(join(folder, 'token'), await api.kubectl(['create', 'token', serviceAccountName, '-n', 'ledger']));
    await writeFile(join(folder, 'ca.pem'), await authorityOf(api));
    const { hostname, port } = new URL(api.url);
    const env = {
      ...Object.fromEntries(containers[0].env.map(({ name, value }) => [name, value])),
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      TOKEN_FILE: join(folder, 'token'),
      NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
    };
    const program = containers[0].args[0] ?? '';
    return (await run(process.execPath, ['--input-type=module', '-e', program], { env })).stdout;
  };
  const waypointOf = (namespace: string): Promise<string> =>
    api.kubectl(['get', 'namespace', namespace, '-o', 'jsonpath={.metadata.labels.istio\\.io/use-waypoint}']);

  it('labels those that are listed', async () => {
    expect(await runHook('post-install,post-upgrade', 'enrol.namespaces={ledger,cards}')).to.equal(
      'namespace ledger uses ledger/shared\nnamespace cards uses ledger/shared\n',
    );
    expect([await waypointOf('ledger'), await waypointOf('cards'), await waypointOf('loans')]).to.deep.equal([
      'shared',
      'shared',
      '',
    ]);
  });

  it('finds those that are no longer listed', async () => {
    const settings = ['--set', 'name=shared,allowedRoutes.from=All,enrol.namespaces={ledger}'];
    const connected = ['--dry-run=server', '--kubeconfig', api.kubeconfigPath];
    const made = await render('waypoint', [...settings, ...connected], 'ledger');
    expect(made).to.contain('{ name: WANTED, value: "ledger" }').and.to.contain('{ name: LEAVING, value: "cards" }');
    expect(made).to.contain('resourceNames: ["cards","ledger"]');
  });

  it('takes nobody from another waypoint', async () => {
    await api.kubectl(['label', 'namespace', 'loans', 'istio.io/use-waypoint=own']);
    const failure = await runHook('post-install,post-upgrade', 'enrol.namespaces={loans}').catch(
      (error: { stdout: string }) => error.stdout,
    );
    expect(failure).to.contain('namespace loans could not be changed: it uses own already');
    expect(await waypointOf('loans')).to.equal('own');
  });

  it('ends before the waypoint does', async () => {
    expect(await runHook('pre-delete', 'enrol.namespaces={ledger,loans}')).to.equal(
      'namespace ledger no longer uses ledger/shared\nnamespace loans does not use it\n',
    );
    expect([await waypointOf('ledger'), await waypointOf('cards'), await waypointOf('loans')]).to.deep.equal([
      '',
      'shared',
      'own',
    ]);
  });

  it('runs the program of files/, as it stands there', async () => {
    const objects = objectsIn(await render('waypoint', ['--set', 'enrol.namespaces={ledger}'], 'ledger'));
    const { containers } = (objects.find(({ kind }) => kind === 'Job') as Job).spec.template.spec as {
      readonly containers: readonly [Container];
    };
    expect(containers[0].args[0]?.trim()).to.equal(
      (await readFile(`${chartPath('waypoint')}/files/enrolment.mjs`, 'utf8')).trim(),
    );
  });
});

function annotationsOf(object: KubernetesObject): Readonly<Record<string, string>> {
  return (object as Job).metadata.annotations ?? {};
}

async function authorityOf({ kubeconfigPath }: ApiServer): Promise<Buffer> {
  const { clusters } = parse(await readFile(kubeconfigPath, 'utf8')) as {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  };
  const cluster = clusters[0]?.cluster ?? {};
  const data = cluster['certificate-authority-data'];
  return data === undefined ? readFile(cluster['certificate-authority'] ?? '') : Buffer.from(data, 'base64');
}
