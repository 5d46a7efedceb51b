/** The configuration in force as people read it: whole, but for keys that somebody may have put into a policy. */
import type { WaypointConfiguration } from '@clearmesh/shared/model/l7/configuration';
import type { Json } from '@clearmesh/shared/admin/json-answer';

export type ConfigurationInForce = {
  /** The control plane's version of it. */
  readonly revision: string;
  /** Milliseconds since the epoch. */
  readonly acceptedAtMs: number;
  readonly configuration: WaypointConfiguration;
};

/** The last configuration that was refused, and why. */
export type RejectedConfiguration = { readonly revision: string; readonly rejectedAtMs: number; readonly problem: string };

export function dumpConfiguration(
  inForce: ConfigurationInForce | undefined,
  rejected?: RejectedConfiguration,
): { readonly [key: string]: Json | undefined } {
  return {
    configuration: inForce === undefined ? null : dumpInForce(inForce),
    rejected: rejected && {
      revision: rejected.revision,
      rejectedAt: new Date(rejected.rejectedAtMs).toISOString(),
      problem: rejected.problem,
    },
  };
}

function dumpInForce({ revision, acceptedAtMs, configuration }: ConfigurationInForce): Json {
  const text = JSON.stringify(configuration, (key, value: unknown) => (key === 'jwks' ? keysOf(value) : value));
  return { revision, acceptedAt: new Date(acceptedAtMs).toISOString(), ...(JSON.parse(text) as Record<string, Json>) };
}

/** Key ids only: a JWKS holds public keys, unless somebody pasted the private or a shared one. */
function keysOf(jwks: unknown): readonly string[] | undefined {
  if (typeof jwks !== 'string') return undefined;
  return Array.from(jwks.matchAll(/"kid"\s*:\s*"([^"\\]*)"/g), ([, kid = '']) => kid);
}
