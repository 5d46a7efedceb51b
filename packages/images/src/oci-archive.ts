/** An image as an OCI archive: what `ctr images import`, `podman load` and `skopeo copy oci-archive:` read. */
import { entrypoint, imageVersion, unprivilegedId } from './component.ts';
import type { Component } from './component.ts';
import { FileTree } from './file-tree.ts';
import { sha256 } from './layer.ts';
import type { Layer } from './layer.ts';

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const builtAt = new Date(0).toISOString();

export type ImageReference = {
  /** Before the last name of the image, such as `clearmesh` or `registry.bank.example/mesh`. */
  readonly hub: string;
  readonly tag: string;
};

/** What a container runtime calls the image when a pod asks for `hub/name:tag`: without a host it is docker.io. */
export function imageName({ hub, tag }: ImageReference, { name }: Pick<Component, 'name'>): string {
  const [first = ''] = hub.split('/');
  const host = hub.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? '' : 'docker.io/';
  return `${host}${hub}/${name}:${tag}`;
}

/** What an image is made of. */
export type ImageContent = {
  /** As a container runtime calls it; see {@link imageName}. */
  readonly name: string;
  readonly layers: readonly Layer[];
  /** `Entrypoint`, `Env`, `User` and whatever else the image specification has. */
  readonly config: Readonly<Record<string, unknown>>;
  /** @default none */
  readonly labels?: Readonly<Record<string, string>>;
};

/** The archive of a component. */
export function archiveOf(component: Component, layers: readonly Layer[], reference: ImageReference): Promise<Buffer> {
  const labels = labelsOf(component);
  const config = {
    User: component.user === 'root' ? '0:0' : `${unprivilegedId}:${unprivilegedId}`,
    Env: ['PATH=/usr/local/bin:/usr/sbin:/usr/bin', 'NODE_ENV=production'],
    Entrypoint: entrypoint,
    WorkingDir: '/',
    Labels: labels,
  };
  return packImage({ name: imageName(reference, component), layers, config, labels });
}

/** The archive, uncompressed: its layers are compressed already. */
export function packImage(image: ImageContent): Promise<Buffer> {
  const config = Buffer.from(JSON.stringify(configOf(image)));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: descriptor(types.config, config),
      layers: image.layers.map(({ bytes }) => descriptor(types.layer, bytes)),
      ...(image.labels === undefined ? {} : { annotations: image.labels }),
    }),
  );
  const annotations = {
    'io.containerd.image.name': image.name,
    'org.opencontainers.image.ref.name': image.name.slice(image.name.lastIndexOf(':') + 1),
  };
  const index = {
    schemaVersion: 2,
    mediaType: types.index,
    manifests: [{ ...descriptor(types.manifest, manifest), platform: platform(), annotations }],
  };
  const tree = new FileTree();
  tree.addFile('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  tree.addFile('index.json', JSON.stringify(index));
  for (const blob of [config, manifest, ...image.layers.map(({ bytes }) => bytes)]) {
    tree.addFile(`blobs/sha256/${sha256(blob).replace('sha256:', '')}`, blob);
  }
  return tree.toTar();
}

function configOf({ config, layers }: ImageContent): object {
  return {
    created: builtAt,
    ...platform(),
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: builtAt, created_by: 'clearmesh images' })),
  };
}

function labelsOf({ title, description }: Component): Readonly<Record<string, string>> {
  return {
    'org.opencontainers.image.title': title,
    'org.opencontainers.image.description': description,
    'org.opencontainers.image.version': imageVersion,
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.vendor': 'Clearmesh',
  };
}

function platform(): { readonly os: 'linux'; readonly architecture: string } {
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch };
}

function descriptor(mediaType: string, bytes: Buffer): object {
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}
