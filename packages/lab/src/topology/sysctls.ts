/** Kernel settings of the namespaces, set before any device exists so that each inherits them. */
import { writeFileSync } from 'node:fs';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { NetworkNamespace } from '@clearmesh/linux/netns';

export type Sysctl = {
  /** Below /proc/sys/net. */
  readonly path: string;
  readonly value: string;
  /** The kernel may be built without it. */
  readonly optional?: boolean;
};

// A captured pod's application sees connections from addresses that are not its device's (l4-contract section 6):
// the strict reverse-path check would drop them. The larger of `all` and the device's value counts, so both are 0.
const looseSources: readonly Sysctl[] = ['all', 'default', 'lo'].map((device) => ({
  path: `ipv4/conf/${device}/rp_filter`,
  value: '0',
}));

// Labs are IPv4 only; without it a link is silent until a pod speaks. Loopback keeps ::1, which servers bind.
const noIpv6OnLinks: Sysctl = { path: 'ipv6/conf/default/disable_ipv6', value: '1', optional: true };

/** Settings of pods and of the control namespace. */
export const endpointSysctls: readonly Sysctl[] = [...looseSources, noIpv6OnLinks];

/** Settings of nodes. ip_forward comes first: writing it resets others (kernel, networking/ip-sysctl). */
export const nodeSysctls: readonly Sysctl[] = [
  { path: 'ipv4/ip_forward', value: '1' },
  ...looseSources,
  // Two pods of a node reach each other through it, on purpose: it must not tell them a shorter way.
  { path: 'ipv4/conf/all/send_redirects', value: '0' },
  { path: 'ipv4/conf/default/send_redirects', value: '0' },
  noIpv6OnLinks,
];

/** Writes the settings inside a namespace; /proc/sys/net shows the namespace of the thread that opens it. */
export function applySysctls(namespacePath: string, settings: readonly Sysctl[]): void {
  using namespace = NetworkNamespace.open(namespacePath);
  namespace.run(() => {
    for (const setting of settings) apply(namespacePath, setting);
  });
}

function apply(namespacePath: string, setting: Sysctl): void {
  try {
    writeFileSync(`/proc/sys/net/${setting.path}`, setting.value);
  } catch (cause) {
    if (setting.optional === true && (cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new MeshError('MESH-HOST-001', {
      message: `net.${setting.path.replaceAll('/', '.')} cannot be set to ${setting.value} in ${namespacePath}`,
      hint: '/proc/sys must be writable: in a container, run it with --privileged.',
      cause,
    });
  }
}
