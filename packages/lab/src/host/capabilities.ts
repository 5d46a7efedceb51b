/** What the kernel lets this process do, from /proc/<pid>/status. */

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** True when the effective capabilities allow network namespaces to be made and filled. */
export function mayMakeNamespaces(status: string): boolean {
  const hex = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  if (hex === undefined) return false;
  const effective = BigInt(`0x${hex}`);
  return [CAP_NET_ADMIN, CAP_SYS_ADMIN].every((capability) => ((effective >> capability) & 1n) === 1n);
}
