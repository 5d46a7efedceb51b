/** What a waypoint's objects are made with, besides its Gateway. */
import type { Labels } from '../manifest/metadata.ts';

export type WaypointOptions = {
  /** Such as `clearmesh/waypoint:0.1.0`. */
  readonly image: string;
  /** @default IfNotPresent */
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Names of Secrets in the Gateway's namespace. */
  readonly imagePullSecrets: readonly string[];
  /** `https://host:port` of discovery and certificates. */
  readonly controlPlane: string;
  readonly clusterId: string;
  readonly trustDomain: string;
  /** "" where there is one only. */
  readonly network: string;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'plain' | 'json' };
  /** Gateways of these classes are waypoints of ours. */
  readonly classes: readonly string[];
};

/** Label of ConfigMaps of the root namespace: overlays for every Gateway of the class it names. */
export const classDefaultsLabel = 'gateway.clearmesh.io/defaults-for-class';

/** A ConfigMap with overlays, as the API server has it. */
export type OverlayMap = {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Labels };
  readonly data?: Readonly<Record<string, string>>;
};
