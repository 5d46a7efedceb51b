/**
 * The root as Secrets of the system namespace: `cacerts`, a bank's own authority, wins; else `clearmesh-ca-secret`, which
 * the first control plane of the mesh makes, and every other finds.
 */
import { Backoff } from '@clearmesh/shared/lifecycle/backoff';
import { delay } from '@clearmesh/shared/lifecycle/clock';
import { splitPemBundle } from '@clearmesh/shared/identity/certificate';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import type { Random } from '@clearmesh/shared/lifecycle/random';
import type { Logger } from '@clearmesh/shared/observe/log';
import { answerText } from '../kubernetes/api-answer.ts';
import { collectionPath, objectPath } from '../kubernetes/resource.ts';
import { createRoot, readPlugged, readRoot } from '@clearmesh/shared/certify/root-authority';
import type { ApiClient } from '../kubernetes/api-client.ts';
import type { ApiFailure } from '../kubernetes/api-answer.ts';
import type { RootAuthority } from '@clearmesh/shared/certify/root-authority';

export type ClusterRootOptions = {
  /** The system namespace. */
  readonly namespace: string;
  readonly trustDomain: string;
};

type Deps = { readonly api: ApiClient; readonly clock: Clock; readonly random: Random; readonly logger: Logger };

type SecretBody = { readonly data?: Readonly<Record<string, string>> | null };

/** By key, decoded. */
type SecretText = ReadonlyMap<string, string>;

const secrets = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
const pluggedSecret = 'cacerts';
const ownSecret = 'clearmesh-ca-secret';
/** For one Secret. */
const timeoutMs = 10_000;

export type ClusterRoot = { readonly authority: RootAuthority; readonly secret: typeof pluggedSecret | typeof ownSecret };

type Attempt = { readonly kind: 'root'; readonly root: ClusterRoot } | { readonly kind: 'failed'; readonly failure: ApiFailure };

/**
 * Waits for an API server that is away. MESH-CERT-002 when what is there cannot be used: another root in its place would
 * cut every proxy off.
 */
export async function openClusterRoot(options: ClusterRootOptions, deps: Deps, signal: AbortSignal): Promise<ClusterRoot> {
  const backoff = new Backoff({ initialMs: 250, maxMs: 10_000, jitter: 0.3 }, { random: deps.random });
  for (;;) {
    const attempt = await tryOpen(options, deps, signal);
    if (attempt.kind === 'root') return attempt.root;
    deps.logger.warn('the root cannot be read yet; nothing is served until then', {
      namespace: options.namespace,
      error: answerText(attempt.failure),
    });
    await delay(deps.clock, backoff.next(), signal);
  }
}

/** What is there now; `none` where neither Secret is. Rejects with MESH-CERT-002 as {@link openClusterRoot} does. */
export async function readClusterRoot(
  options: ClusterRootOptions,
  deps: Pick<Deps, 'api' | 'clock'>,
  signal: AbortSignal,
): Promise<Attempt | { readonly kind: 'none' }> {
  const plugged = await readSecret(pluggedSecret, options, deps, signal);
  if (plugged.kind === 'failed') return plugged;
  if (plugged.kind === 'found') return rootIn(pluggedSecret, options, () => pluggedRoot(plugged.text, deps));
  const own = await readSecret(ownSecret, options, deps, signal);
  return own.kind === 'found' ? rootIn(ownSecret, options, () => ownRoot(own.text, deps)) : own;
}

async function tryOpen(options: ClusterRootOptions, deps: Deps, signal: AbortSignal): Promise<Attempt> {
  const found = await readClusterRoot(options, deps, signal);
  return found.kind === 'none' ? create(options, deps, signal) : found;
}

function rootIn(secret: ClusterRoot['secret'], options: ClusterRootOptions, read: () => RootAuthority): Attempt {
  return { kind: 'root', root: { secret, authority: usable(secret, options, read) } };
}

type SecretReading =
  | { readonly kind: 'found'; readonly text: SecretText }
  | { readonly kind: 'none' }
  | Extract<Attempt, { kind: 'failed' }>;

async function readSecret(
  name: string,
  { namespace }: ClusterRootOptions,
  { api }: Pick<Deps, 'api'>,
  signal: AbortSignal,
): Promise<SecretReading> {
  const answer = await api.call<SecretBody | undefined>({ path: objectPath(secrets, { namespace, name }), timeoutMs }, signal);
  if (answer.kind === 'ok') return { kind: 'found', text: decoded(answer.body) };
  return answer.kind === 'refused' && answer.status === 404 ? { kind: 'none' } : { kind: 'failed', failure: answer };
}

/** By create, which never replaces: of replicas that start at once one makes the root, and the others read it. */
async function create(options: ClusterRootOptions, deps: Deps, signal: AbortSignal): Promise<Attempt> {
  const { namespace, trustDomain } = options;
  const pem = await createRoot({ trustDomain, nowMs: deps.clock.now() });
  const [certificate = ''] = splitPemBundle(pem);
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: ownSecret, namespace, labels: { app: 'clearmesh-control-plane' } },
    type: 'istio.io/ca-root',
    stringData: { 'ca-cert.pem': certificate, 'ca-key.pem': privateKeyIn(pem), 'root-cert.pem': certificate },
  };
  const answer = await deps.api.call({ method: 'POST', path: collectionPath(secrets, namespace), body }, signal);
  if (answer.kind === 'ok') {
    deps.logger.info('a new root was made', { secret: `${namespace}/${ownSecret}`, trustDomain });
    return { kind: 'root', root: { secret: ownSecret, authority: readRoot(pem, deps.clock.now()) } };
  }
  if (answer.kind === 'refused' && answer.status === 409) return tryOpen(options, deps, signal);
  return { kind: 'failed', failure: answer };
}

function pluggedRoot(text: SecretText, { clock }: Pick<Deps, 'clock'>): RootAuthority {
  const certChain = text.get('cert-chain.pem');
  return readPlugged(
    {
      caCert: required(text, 'ca-cert.pem'),
      caKey: required(text, 'ca-key.pem'),
      ...(certChain === undefined ? {} : { certChain }),
      rootCert: required(text, 'root-cert.pem'),
    },
    clock.now(),
  );
}

function ownRoot(text: SecretText, { clock }: Pick<Deps, 'clock'>): RootAuthority {
  const certificate = required(text, 'ca-cert.pem');
  const rootCert = text.get('root-cert.pem') ?? '';
  return readPlugged(
    { caCert: certificate, caKey: required(text, 'ca-key.pem'), rootCert: rootCert.trim() === '' ? certificate : rootCert },
    clock.now(),
  );
}

function usable(name: string, { namespace }: ClusterRootOptions, read: () => RootAuthority): RootAuthority {
  try {
    return read();
  } catch (error) {
    throw new MeshError('MESH-CERT-002', {
      message: `Secret ${namespace}/${name}: ${error instanceof Error ? error.message : String(error)}`,
      hint:
        name === pluggedSecret
          ? 'Mend the Secret; without it the mesh’s own root would be used, which proxies may not trust.'
          : 'Restore the Secret from a backup. Without one, delete it: a new root is made, and every proxy must be restarted to trust it.',
      cause: error,
    });
  }
}

function decoded(body: SecretBody | undefined): SecretText {
  return new Map(Object.entries(body?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
}

function required(text: SecretText, key: string): string {
  const found = text.get(key);
  if (found === undefined || found.trim() === '') throw new Error(`has no ${key}`);
  return found;
}

function privateKeyIn(pem: string): string {
  return `${/-----BEGIN PRIVATE KEY-----[\s\S]+-----END PRIVATE KEY-----/.exec(pem)?.[0] ?? ''}\n`;
}
