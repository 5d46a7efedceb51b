/** What the control plane was told by its flags, read from the arguments of its container. Pure. */
import type { DeriveOptions } from '@clearmesh/control-plane/derive/options';

/** @param args as in a Deployment: `--name=value`; anything else is passed over */
export function optionsFromArguments(args: readonly string[], base: DeriveOptions): DeriveOptions {
  const flags = new Map(args.flatMap((arg) => flagOf(arg) ?? []));
  const mtls = flags.get('default-mtls');
  const expiry = flags.get('permissive-expiry');
  return {
    ...base,
    clusterId: flags.get('cluster-id') ?? base.clusterId,
    trustDomain: flags.get('trust-domain') ?? base.trustDomain,
    rootNamespace: flags.get('root-namespace') ?? base.rootNamespace,
    defaultMtls: mtls === 'STRICT' || mtls === 'PERMISSIVE' ? mtls : base.defaultMtls,
    requirePermissiveExpiry: expiry === undefined ? base.requirePermissiveExpiry : expiry !== 'optional',
  };
}

function flagOf(arg: string): readonly [readonly [string, string]] | undefined {
  const [, name, value] = /^--([a-z-]+)=(.*)$/s.exec(arg) ?? [];
  return name === undefined || value === undefined || value.includes('$(') ? undefined : [[name, value]];
}
