import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { componentOf } from '../src/component.ts';
import { FileTree } from '../src/file-tree.ts';
import { layerOf, sha256 } from '../src/layer.ts';
import { archiveOf, imageName } from '../src/oci-archive.ts';
import { readTar } from './read-tar.ts';

type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };

describe('the name of an image', () => {
  const table: readonly (readonly [string, string])[] = [
    ['clearmesh', 'docker.io/clearmesh/cli:1'],
    ['bank/mesh', 'docker.io/bank/mesh/cli:1'],
    ['registry.bank.example/mesh', 'registry.bank.example/mesh/cli:1'],
    ['localhost:5000/mesh', 'localhost:5000/mesh/cli:1'],
    ['localhost/mesh', 'localhost/mesh/cli:1'],
  ];
  for (const [hub, name] of table) {
    it(`is ${name} for the hub ${hub}`, () => expect(imageName({ hub, tag: '1' }, { name: 'cli' })).to.equal(name));
  }
});

describe('an OCI archive', () => {
  it('leads from its index to layers whose digests and sizes hold', async () => {
    const blobs = await readTar(await archive('waypoint'));
    const blob = ({ digest, size }: Descriptor): Buffer => {
      const bytes = blobs.get(`blobs/${digest.replace(':', '/')}`) ?? Buffer.alloc(0);
      expect(sha256(bytes)).to.equal(digest);
      expect(bytes.length).to.equal(size);
      return bytes;
    };
    expect(JSON.parse(String(blobs.get('oci-layout')))).to.deep.equal({ imageLayoutVersion: '1.0.0' });
    const index = JSON.parse(String(blobs.get('index.json'))) as { readonly manifests: readonly Descriptor[] };
    expect(index.manifests).to.have.length(1);
    const manifest = JSON.parse(String(blob(index.manifests[0]!))) as {
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    };
    const config = JSON.parse(String(blob(manifest.config))) as { readonly rootfs: { readonly diff_ids: readonly string[] } };
    const diffIds = manifest.layers.map((layer) => sha256(gunzipSync(blob(layer))));
    expect(diffIds).to.deep.equal(config.rootfs.diff_ids);
    expect(blobs.size).to.equal(2 + 2 + manifest.layers.length + 2);
  });

  it('says under which name containerd is to know it', async () => {
    const index = String((await readTar(await archive('waypoint'))).get('index.json'));
    expect(index).to.contain('"io.containerd.image.name":"docker.io/clearmesh/waypoint:0.1.0"');
  });

  for (const [name, user] of [
    ['control-plane', '1337:1337'],
    ['waypoint', '1337:1337'],
    ['cli', '1337:1337'],
    ['bank', '1337:1337'],
    ['ztunnel', '0:0'],
    ['node-agent', '0:0'],
  ] as const) {
    it(`runs ${name} as ${user}`, async () => {
      const texts = [...(await readTar(await archive(name))).values()].map(String);
      expect(texts.some((text) => text.includes(`"User":"${user}"`))).to.equal(true);
    });
  }

  it('is the same when it is built again', async () => {
    expect((await archive('cli')).equals(await archive('cli'))).to.equal(true);
  });
});

async function archive(name: Parameters<typeof componentOf>[0]): Promise<Buffer> {
  const base = new FileTree();
  base.addFile('usr/local/bin/node', 'node', 0o755);
  const app = new FileTree();
  app.addFile('app/main.mjs', 'main');
  return archiveOf(componentOf(name), [await layerOf(base), await layerOf(app)], { hub: 'clearmesh', tag: '0.1.0' });
}
