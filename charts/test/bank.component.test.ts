import { readFile, readdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { expect } from 'chai';
import { parse } from 'yaml';
import { chartPath, render } from './helm.ts';
import { objectsIn, podOf, textOf } from './objects.ts';
import type { KubernetesObject, Workload } from './objects.ts';

const bank = fileURLToPath(new URL('../../examples/bank/', import.meta.url));
const manifests = fileURLToPath(new URL('../../examples/bank-kubernetes', import.meta.url));
const values = `${manifests}/waypoint/values.yaml`;

describe('the small bank in a cluster', function () {
  this.timeout(240_000);
  let api: ApiServer;

  before(async () => {
    api = await ApiServer.start();
    await installDefinitions(api);
    const own = `${chartPath('base')}/files/crds`;
    if ((await readdir(own)).some((file) => file.endsWith('.yaml'))) await api.applyFile(own);
    await api.applyFile(manifests);
  });
  after(() => api[Symbol.asyncDispose]());

  it('runs under Pod Security "restricted"', async () => {
    const pods = (await objects()).filter(({ kind }) => kind === 'Deployment').map((object) => podOf(object as Workload));
    expect(pods).to.have.length(4);
    await api.kubectl(['apply', '--server-side', '--dry-run=server', '-f', '-'], textOf(pods));
  });

  it('needs one image, and pulls it only where it is missing', async () => {
    const texts = await Promise.all((await manifestFiles()).map((path) => readFile(path, 'utf8')));
    const images = [...texts.join('').matchAll(/(?:image|imagePullPolicy): (\S+)/g)].map(([, value]) => value);
    expect(new Set(images)).to.deep.equal(new Set(['clearmesh/bank:0.1.0', 'IfNotPresent']));
  });

  it('asks only for services that the image has', async () => {
    const main = await readFile(`${bank}services/main.ts`, 'utf8');
    for (const object of await objects()) {
      if (object.kind !== 'Deployment') continue;
      const { containers } = (object as Workload).spec.template.spec as {
        readonly containers: readonly { readonly args: readonly string[] }[];
      };
      for (const { args } of containers) expect(main).to.match(new RegExp(`^  '?${args[0]}'?: `, 'm'));
    }
  });

  it('leads every Service to a Deployment and to a port of it', async () => {
    const all = await objects();
    for (const service of all) {
      if (!isService(service)) continue;
      const { metadata, spec } = service;
      const backend = all.find(
        (object) =>
          object.kind === 'Deployment' &&
          object.metadata.namespace === metadata.namespace &&
          (object as Workload).metadata.name === spec.selector.app,
      );
      const names = JSON.stringify(backend);
      for (const { targetPort } of spec.ports) expect(names, metadata.name).to.contain(`"name":"${targetPort}","containerPort"`);
    }
  });

  it('has values for the waypoint that the chart takes', async () => {
    const rendered = await render('waypoint', ['-f', values], 'ledger');
    await api.kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'], rendered);
  });

  it('keeps the keys of payments in one place', async () => {
    const { replicas } = parse(await readFile(values, 'utf8')) as { readonly replicas: number };
    const policies = await readFile(`${manifests}/waypoint/policies.yaml`, 'utf8');
    expect(policies.includes('redis: { url: redis')).to.equal(replicas > 1);
  });

  it('has rules that fit a ConfigMap', async () => {
    const folder = `${bank}bundles/four-eyes`;
    const sizes = await Promise.all((await readdir(folder)).map(async (file) => (await stat(`${folder}/${file}`)).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.below(1024 * 1024);
    await api.kubectl(['create', 'configmap', 'four-eyes', '-n', 'ledger', `--from-file=${folder}`]);
    const made = JSON.parse(await api.kubectl(['get', 'configmap', 'four-eyes', '-n', 'ledger', '-o', 'json'])) as Record<
      string,
      object
    >;
    expect(Object.keys({ ...made['data'], ...made['binaryData'] })).to.have.members(['.manifest', 'data.json', 'policy.wasm']);
  });
});

type ServiceObject = KubernetesObject & {
  readonly spec: { readonly selector: { readonly app: string }; readonly ports: readonly { readonly targetPort: string }[] };
};

function isService(object: KubernetesObject): object is ServiceObject {
  return object.kind === 'Service';
}

async function manifestFiles(): Promise<readonly string[]> {
  return (await readdir(manifests)).filter((name) => name.endsWith('.yaml')).map((name) => `${manifests}/${name}`);
}

async function objects(): Promise<readonly KubernetesObject[]> {
  const texts = await Promise.all((await manifestFiles()).map((path) => readFile(path, 'utf8')));
  return texts.flatMap((text) => objectsIn(text));
}
