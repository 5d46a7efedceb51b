/** Where a proxy finds whom it trusts beyond its certificates' own roots, by environment. */
import type { EnvironmentReader } from '../lifecycle/environment.ts';
import type { PeerTrustOptions } from './peer-trust.ts';

/** Neither file need be there yet: ConfigMaps come and go. */
export function readTrust(reader: EnvironmentReader): PeerTrustOptions {
  const rootsPath = reader.text('TRUST_BUNDLE_PATH', '');
  const crlPath = reader.text('CRL_PATH', '');
  return { ...(rootsPath === '' ? {} : { rootsPath }), ...(crlPath === '' ? {} : { crlPath }) };
}
