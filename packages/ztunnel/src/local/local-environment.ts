/** What a node proxy without a control plane is told by environment (l4-contract sections 4 and 12). */
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';

/** Where workloads, services and policies stand that are read instead of asking a control plane. */
export type LocalSource =
  | { readonly kind: 'file'; readonly path: string }
  /** The YAML itself. */
  | { readonly kind: 'text'; readonly text: string };

/** Certificates that the proxy signs itself, for tests. */
export type SelfMadeCa = {
  /** Where the root is kept, so that several proxies have the same one. @default in memory, another one each start */
  readonly directory?: string;
};

/** LOCAL_XDS_PATH and LOCAL_XDS; one mesh has one author, so that a control plane beside them is refused. */
export function readLocalSource(reader: EnvironmentReader): LocalSource | undefined {
  const path = reader.text('LOCAL_XDS_PATH', '');
  const text = reader.text('LOCAL_XDS', '');
  if (path === '' && text === '') return undefined;
  if (path !== '' && text !== '') reader.reject('LOCAL_XDS', 'set one of LOCAL_XDS_PATH and LOCAL_XDS, not both');
  if (reader.text('XDS_ADDRESS', '') !== '')
    reader.reject('XDS_ADDRESS', 'set it to nothing: the local configuration is read instead of a control plane');
  return path === '' ? { kind: 'text', text } : { kind: 'file', path };
}

/**
 * FAKE_CA. Whoever can start such a proxy is anyone in its mesh, and who sets this variable in a cluster has hardly meant
 * that: hence the second one.
 */
export function readSelfMadeCa(reader: EnvironmentReader): SelfMadeCa | undefined {
  if (!reader.boolean('FAKE_CA', false)) return undefined;
  if (!reader.boolean('ALLOW_FAKE_CA', false))
    reader.reject(
      'FAKE_CA',
      'certificates of its own making prove nothing; unset it, or for a test set ALLOW_FAKE_CA=true as well',
    );
  if (reader.text('CA_ADDRESS', '') !== '')
    reader.reject('CA_ADDRESS', 'set it to nothing: FAKE_CA asks no certificate authority');
  const directory = reader.text('FAKE_CA_DIRECTORY', '');
  return directory === '' ? {} : { directory };
}
