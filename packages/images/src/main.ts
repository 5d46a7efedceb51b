/** `npm run images`: builds the images of the components named, or of all. */
import { Argument, Command } from 'commander';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { buildImage, writeRootFilesystem } from './build.ts';
import { componentNames, componentOf, imageVersion } from './component.ts';
import type { ComponentName } from './component.ts';

type Flags = { readonly out?: string; readonly rootfs?: string; readonly hub: string; readonly tag: string };

const program = new Command('images')
  .description('Builds one OCI archive per component from the working tree; import it with ctr, podman or skopeo.')
  .addArgument(new Argument('[component...]', 'what to build; without one, everything').choices(componentNames))
  .option('--out <dir>', 'where the archives are written, as NAME.oci.tar')
  .option('--rootfs <dir>', 'writes the root file system of one component instead, for a Containerfile')
  .option('--hub <name>', 'what stands before the name of an image', 'clearmesh')
  .option('--tag <tag>', 'what stands behind it', imageVersion)
  .showHelpAfterError('(--help shows what there is)')
  .action(run);

await program.parseAsync();

async function run(names: readonly ComponentName[], flags: Flags): Promise<void> {
  try {
    if (flags.rootfs === undefined) await writeArchives(names.length === 0 ? componentNames : names, flags);
    else await writeOne(names, flags.rootfs);
  } catch (error) {
    process.stderr.write(`images: ${MeshError.from(error, 'MESH-INTERNAL-001').explain()}\n`);
    process.exitCode = 1;
  }
}

async function writeArchives(names: readonly ComponentName[], { out, hub, tag }: Flags): Promise<void> {
  if (out === undefined) throw wrong('say with --out where the archives are to be written');
  for (const name of names) {
    const image = await buildImage(componentOf(name), out, { hub, tag });
    const sizes = `${mebibytes(image.archiveBytes)} (base ${mebibytes(image.baseBytes)}, own ${mebibytes(image.ownBytes)})`;
    process.stdout.write(`${image.name}  ${sizes}  ${image.path}\n`);
  }
}

async function writeOne(names: readonly ComponentName[], directory: string): Promise<void> {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0) throw wrong('--rootfs takes exactly one component');
  await writeRootFilesystem(componentOf(name), directory);
}

function wrong(message: string): MeshError {
  return new MeshError('MESH-CONFIG-003', { message, hint: 'See npm run images -- --help.' });
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
