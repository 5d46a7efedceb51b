/**
 * Proxy configuration beneath the environment (l4-contract section 12): `PROXY_CONFIG`, and beneath it `defaultConfig` of
 * the mesh's file. What they say is given to the rest of the program as the variables that would say the same, so that
 * there is one way to read an option.
 *
 *   environment  ▷  PROXY_CONFIG  ▷  mesh file      (▷ wins over)
 */
import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import { checkShape } from '@clearmesh/shared/document/check-shape';
import { findingProblem, yamlProblem } from '@clearmesh/shared/document/document-problem';
import { problemsError } from '@clearmesh/shared/document/problem';
import type { Problem } from '@clearmesh/shared/document/problem';
import { readYaml } from '@clearmesh/shared/document/yaml-documents';
import type { Environment } from '@clearmesh/shared/lifecycle/environment';

/** A text and what it is called in messages. */
export type ConfigText = { readonly name: string; readonly text: string };

type ProxyConfig = {
  readonly discoveryAddress?: string;
  readonly proxyAdminPort?: number;
  readonly statsPort?: number;
  readonly concurrency?: number;
  readonly proxyMetadata?: Readonly<Record<string, string>>;
};

const port = Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 }));
const discoveryAddress = Type.Refine(
  Type.String(),
  (text) => text === '' || isHttps(withScheme(text)),
  () => 'HOST:PORT or https://HOST:PORT',
);

// Fields for other proxies than a ztunnel stand here as well, and are passed over.
const proxyConfigSchema = Type.Object({
  discoveryAddress: Type.Optional(discoveryAddress),
  proxyAdminPort: port,
  statsPort: port,
  concurrency: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  proxyMetadata: Type.Optional(Type.Record(Type.String(), Type.String())),
});
const meshSchema = Type.Object({ defaultConfig: Type.Optional(proxyConfigSchema) });

/** The environment with what both texts add to it; MESH-CONFIG-003 with the place of all that is wrong with them. */
export function withProxyConfig(
  env: Environment,
  texts: { readonly proxyConfig?: ConfigText; readonly mesh?: ConfigText },
): Environment {
  const problems: Problem[] = [];
  const mesh = readDocument(texts.mesh, meshSchema, problems) as { readonly defaultConfig?: ProxyConfig } | undefined;
  const own = readDocument(texts.proxyConfig, proxyConfigSchema, problems) as ProxyConfig | undefined;
  if (problems.length > 0) throw problemsError('MESH-CONFIG-003', 'the proxy configuration', problems);
  return { ...variables(mesh?.defaultConfig ?? {}), ...variables(own ?? {}), ...env };
}

/** The schema's value, or `undefined` where there is none or one with problems. */
function readDocument(source: ConfigText | undefined, schema: TSchema, problems: Problem[]): unknown {
  if (source === undefined) return undefined;
  const { documents, faults } = readYaml(source.text);
  problems.push(...faults.map(({ line, column, message }) => yamlProblem(source.name, line, column, message)));
  if (documents.length > 1) problems.push(yamlProblem(source.name, 1, 1, 'must hold one document'));
  const [document] = documents;
  if (document === undefined) return undefined;
  const findings = checkShape(schema, document.value);
  problems.push(...findings.map((finding) => findingProblem(finding, 'MESH-CONFIG-001', source.name, '', document.locate)));
  return findings.length === 0 ? document.value : undefined;
}

function variables(config: ProxyConfig): Environment {
  const { discoveryAddress: address, proxyAdminPort, statsPort, concurrency, proxyMetadata = {} } = config;
  const metadata = Object.entries(proxyMetadata).map(([key, value]) => [metadataName(key), value]);
  return {
    ...(address === undefined ? {} : { XDS_ADDRESS: address === '' ? '' : withScheme(address) }),
    ...(proxyAdminPort === undefined ? {} : { PROXY_ADMIN_PORT: String(proxyAdminPort) }),
    ...(statsPort === undefined ? {} : { STATS_PORT: String(statsPort) }),
    ...(concurrency === undefined ? {} : { ZTUNNEL_WORKER_THREADS: String(concurrency) }),
    ...(Object.fromEntries(metadata) as Environment),
  };
}

/** Metadata may be written with the prefix that its variables have, or without. */
function metadataName(key: string): string {
  return key.startsWith('ISTIO_META_') ? key : `ISTIO_META_${key}`;
}

function withScheme(address: string): string {
  return address.includes('://') ? address : `https://${address}`;
}

function isHttps(address: string): boolean {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol === 'https:' && url.hostname !== '' && url.pathname === '/';
}
