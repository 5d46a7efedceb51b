/** Where a proxy listens whose callers may come from anywhere. */
import { existsSync } from 'node:fs';

/** `::`, which takes IPv4 as well, where IPv6 is wanted and the kernel has it; else `0.0.0.0`. */
export function wildcardAddress(
  { ipv6 }: { readonly ipv6: boolean },
  kernelHasIpv6: () => boolean = () => existsSync('/proc/net/if_inet6'),
): '::' | '0.0.0.0' {
  return ipv6 && kernelHasIpv6() ? '::' : '0.0.0.0';
}
