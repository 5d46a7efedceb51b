/** A Lease of coordination.k8s.io: who leads, and until when by its own word. */
import { objectPath } from '../kubernetes/resource.ts';

export type Lease = {
  /** Of this very state of the object; a write with an older one is refused. */
  readonly resourceVersion: string;
  /** "" when it was given back. */
  readonly holder: string;
  readonly durationMs: number;
  /** RFC 3339, as the holder wrote it. */
  readonly acquireTime: string;
  readonly transitions: number;
};

export type LeaseName = { readonly namespace: string; readonly name: string };

export const leaseResource: { readonly apiVersion: string; readonly kind: string; readonly plural: string } = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
};

type LeaseBody = {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly leaseTransitions?: number | null;
  } | null;
};

export function leasePath(name: LeaseName): string {
  return objectPath(leaseResource, name);
}

/** Absent fields count as of a lease that nobody holds. */
export function readLease(body: unknown): Lease {
  const { metadata, spec } = (body ?? {}) as LeaseBody;
  return {
    resourceVersion: metadata?.resourceVersion ?? '',
    holder: spec?.holderIdentity ?? '',
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
    acquireTime: spec?.acquireTime ?? '',
    transitions: spec?.leaseTransitions ?? 0,
  };
}

export type LeaseWrite = {
  readonly name: LeaseName;
  /** "" gives it back. */
  readonly holder: string;
  readonly durationMs: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** What is replaced; absent when it is made. */
  readonly before?: Lease;
};

export function leaseBody({ name, holder, durationMs, nowMs, before }: LeaseWrite): unknown {
  const now = new Date(nowMs).toISOString().replace('Z', '000Z');
  const kept = before !== undefined && before.holder === holder;
  return {
    apiVersion: leaseResource.apiVersion,
    kind: leaseResource.kind,
    metadata: { ...name, ...(before === undefined ? {} : { resourceVersion: before.resourceVersion }) },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)),
      acquireTime: kept && before.acquireTime !== '' ? before.acquireTime : now,
      renewTime: now,
      leaseTransitions: (before?.transitions ?? 0) + (kept || before === undefined || holder === '' ? 0 : 1),
    },
  };
}
