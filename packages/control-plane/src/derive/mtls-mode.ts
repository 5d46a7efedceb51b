/**
 * Effective mTLS modes (control-plane-contract section 2.5, PeerAuthentication): workload before namespace before mesh,
 * the oldest object of a level wins, UNSET inherits, DISABLE is treated as PERMISSIVE.
 */
import { isOfRevision } from './labels.ts';
import { SelectorIndex } from './selector-index.ts';
import { opensPlaintext, parsePermissiveUntil, permissiveUntilAnnotation } from '../manifest/permissive-until.ts';
import { objectName } from '../manifest/collections.ts';
import type { Labels } from '../manifest/metadata.ts';
import type { MtlsMode, PeerAuthenticationManifest } from '../manifest/peer-authentication.ts';
import type { DeriveOptions } from './options.ts';

/** A mode that is not UNSET, as the node proxy sees it. */
export type Mode = 'STRICT' | 'OPEN';

/** A PeerAuthentication with its modes as they hold at the time of the derivation. */
export type PeerPolicy = {
  readonly namespace: string;
  readonly name: string;
  readonly matchLabels: Labels | undefined;
  readonly mode: Mode | undefined;
  /** By port, ascending; UNSET ones left out. */
  readonly ports: ReadonlyMap<number, Mode>;
};

/** The objects that count, oldest first, ties by name: `[0]` of a level wins. */
export function peerPolicies(
  manifests: readonly PeerAuthenticationManifest[],
  options: DeriveOptions,
  nowMs: number,
): readonly PeerPolicy[] {
  return manifests
    .filter((manifest) => isOfRevision(manifest.metadata.labels, options.revision))
    .map((manifest) => ({ manifest, age: `${manifest.metadata.creationTimestamp ?? ''} ${objectName(manifest.metadata)}` }))
    .sort((a, b) => (a.age < b.age ? -1 : 1))
    .map(({ manifest }) => peerPolicy(manifest, options, nowMs));
}

function peerPolicy(manifest: PeerAuthenticationManifest, options: DeriveOptions, nowMs: number): PeerPolicy {
  const { selector, mtls, portLevelMtls = {} } = manifest.spec ?? {};
  const open: Mode = mayBeOpen(manifest, options, nowMs) ? 'OPEN' : 'STRICT';
  const ports = Object.entries(portLevelMtls)
    .map(([port, entry]) => [Number(port), modeOf(entry.mode, open)] as const)
    .sort(([a], [b]) => a - b);
  const matchLabels = selector?.matchLabels ?? {};
  return {
    namespace: manifest.metadata.namespace,
    name: manifest.metadata.name,
    // An empty selector acts on the whole namespace, as none does; one that cannot be read may have named any pod of it.
    matchLabels: Object.keys(matchLabels).length === 0 && !ofAnyPod(manifest, options) ? undefined : matchLabels,
    mode: modeOf(mtls?.mode, open),
    ports: new Map(ports.flatMap(([port, mode]) => (mode === undefined ? [] : [[port, mode] as const]))),
  };
}

function ofAnyPod({ standIn, metadata }: PeerAuthenticationManifest, { rootNamespace }: DeriveOptions): boolean {
  return standIn === 'namespace' && metadata.namespace !== rootNamespace;
}

function modeOf(mode: MtlsMode | undefined, open: Mode): Mode | undefined {
  if (mode === undefined || mode === 'UNSET') return undefined;
  return mode === 'STRICT' ? 'STRICT' : open;
}

/** Plaintext is allowed only until the date the object itself names (design decision 4). */
function mayBeOpen(manifest: PeerAuthenticationManifest, options: DeriveOptions, nowMs: number): boolean {
  const until = permissiveEnd(manifest);
  return until === undefined ? !options.requirePermissiveExpiry : nowMs < until;
}

function permissiveEnd(manifest: PeerAuthenticationManifest): number | undefined {
  const text = manifest.metadata.annotations?.[permissiveUntilAnnotation];
  return text === undefined ? undefined : parsePermissiveUntil(text);
}

/** The next moment at which a PERMISSIVE mode ends, milliseconds since the epoch. */
export function nextPermissiveEnd(manifests: readonly PeerAuthenticationManifest[], nowMs: number): number | undefined {
  const ends = manifests.filter(opensPlaintext).flatMap((manifest) => permissiveEnd(manifest) ?? []);
  const ahead = ends.filter((end) => end > nowMs);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}

/** Modes by level, answered for any workload. */
export class MtlsModes {
  readonly #mesh: Mode;
  readonly #byNamespace = new Map<string, Mode>();
  readonly #selecting = new SelectorIndex<PeerPolicy>();
  /** All objects with a selector that counts, oldest first. */
  readonly withSelector: readonly PeerPolicy[];

  constructor(policies: readonly PeerPolicy[], options: DeriveOptions) {
    const wide = policies.filter((policy) => policy.matchLabels === undefined);
    const meshWide = wide.find((policy) => policy.namespace === options.rootNamespace);
    this.#mesh = meshWide?.mode ?? (options.defaultMtls === 'STRICT' ? 'STRICT' : 'OPEN');
    for (const policy of wide) {
      const { namespace, mode } = policy;
      if (namespace === options.rootNamespace || this.#byNamespace.has(namespace)) continue;
      this.#byNamespace.set(namespace, mode ?? this.#mesh);
    }
    // One with a selector in the root namespace reaches no workload at all, as upstream.
    this.withSelector = policies.filter(
      (policy) => policy.matchLabels !== undefined && policy.namespace !== options.rootNamespace,
    );
    for (const policy of this.withSelector) this.#selecting.add(policy.namespace, policy.matchLabels ?? {}, policy);
  }

  /** What a workload without an object of its own has. */
  inherited(namespace: string): Mode {
    return this.#byNamespace.get(namespace) ?? this.#mesh;
  }

  /** The object that decides for this workload, if one selects it. */
  selecting(namespace: string, labels: Labels | undefined): PeerPolicy | undefined {
    return this.#selecting.matching(namespace, labels)[0];
  }
}
