/** Around a directory: manifests, keys of tokens, the root and the status are files. */
import { Authenticator } from '../certify/authenticator.ts';
import { CurrentRoot } from '../certify/current-root.ts';
import { openRoot } from '@clearmesh/shared/certify/root-store';
import { TokenKeys } from '../certify/token-keys.ts';
import { StatusWriter } from '../report/status-writer.ts';
import { DirectorySource } from '../watch/directory-source.ts';
import type { DirectorySetting } from './options.ts';
import type { Surroundings, Wiring } from './parts.ts';

export async function directorySurroundings(wiring: Wiring<DirectorySetting>): Promise<Surroundings> {
  const { options, deps, resources } = wiring;
  const { directory, statusOut, stateDirectory, tokenKeys } = options.setting;
  const { clock, logger } = deps;
  const writer =
    statusOut === undefined ? undefined : resources.use(await StatusWriter.open(statusOut, { logger: logger.scope('status') }));
  const source = await sourceOf(wiring);
  const root = new CurrentRoot(await openRoot({ stateDirectory, trustDomain: options.trustDomain }, deps));
  const keys = await TokenKeys.open(tokenKeys, { logger: logger.scope('ca') });
  return {
    name: directory,
    source,
    authenticator: new Authenticator({}, { keys, clock }),
    root,
    ...(writer === undefined ? {} : { write: (report) => writer.write(report) }),
  };
}

async function sourceOf({ options, deps, resources, signal }: Wiring<DirectorySetting>): Promise<DirectorySource> {
  const { requirePermissiveExpiry, rootNamespace } = options;
  const { directory, statusFile } = options.setting;
  const source = await DirectorySource.open(
    { directory, ...(statusFile === undefined ? {} : { statusFile }), rules: { requirePermissiveExpiry, rootNamespace } },
    { clock: deps.clock, logger: deps.logger.scope('config') },
    signal,
  );
  return resources.use(source);
}
