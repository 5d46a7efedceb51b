/** What a pod wants of its redirection, read from its annotations (l4-contract section 6, "Pod knob"). Pure. */

/** How one pod's traffic is redirected. */
export type Redirection = {
  /** Redirect DNS to the proxy as well. @default false */
  readonly dnsCapture?: boolean;
  /** Redirect what arrives; off for pods that only send (ingress gateways). @default true */
  readonly inboundCapture?: boolean;
  /** Redirect what leaves; off while a pod that has left the mesh still has connections through the proxy. @default true */
  readonly outboundCapture?: boolean;
  /** Bridges and taps in the pod whose TCP counts as outgoing (nested machines). @default [] */
  readonly virtualInterfaces?: readonly string[];
  /** Source of the node's health probes, which reach the application directly. @default 169.254.7.127 */
  readonly probeV4?: string;
  /** @default fd16:9254:7127:1337:ffff:ffff:ffff:ffff */
  readonly probeV6?: string;
  /** Redirect IPv6 too; without it IPv6 of the pod bypasses the mesh. @default true */
  readonly ipv6?: boolean;
};

/** An annotation whose value could not be used; the default applies, which captures more, never less. */
export type RejectedAnnotation = { readonly annotation: string; readonly value: string; readonly reason: string };

export const BYPASS_INBOUND = 'ambient.istio.io/bypass-inbound-capture';
export const DNS_CAPTURE = 'ambient.istio.io/dns-capture';
export const REROUTE_INTERFACES = 'istio.io/reroute-virtual-interfaces';

// Kernel names have at most 15 bytes (IFNAMSIZ); the alphabet keeps annotation text from becoming rule text.
const INTERFACE_NAME = /^[A-Za-z0-9_.-]{1,15}$/;
// The words Go's strconv.ParseBool takes, as upstream reads these annotations.
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** True for a text that can name a network interface. */
export function isInterfaceName(name: string): boolean {
  return INTERFACE_NAME.test(name) && name !== '.' && name !== '..';
}

/** The agent's defaults changed by a pod's annotations. */
export function redirectionOf(
  annotations: Readonly<Record<string, string>>,
  defaults: Redirection = {},
): { readonly redirection: Redirection; readonly rejected: readonly RejectedAnnotation[] } {
  const rejected: RejectedAnnotation[] = [];
  const flag = (annotation: string): boolean | undefined => {
    const value = annotations[annotation];
    if (value === undefined || TRUE.has(value)) return value === undefined ? undefined : true;
    if (!FALSE.has(value)) rejected.push({ annotation, value, reason: 'is neither true nor false' });
    return FALSE.has(value) ? false : undefined;
  };
  const dnsCapture = flag(DNS_CAPTURE) ?? defaults.dnsCapture ?? false;
  const bypass = flag(BYPASS_INBOUND);
  const inboundCapture = bypass === undefined ? (defaults.inboundCapture ?? true) : !bypass;
  const virtualInterfaces = interfacesOf(annotations[REROUTE_INTERFACES], rejected) ?? defaults.virtualInterfaces ?? [];
  return { redirection: { ...defaults, dnsCapture, inboundCapture, virtualInterfaces }, rejected };
}

function interfacesOf(value: string | undefined, rejected: RejectedAnnotation[]): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const names = value
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const bad = names.find((name) => !isInterfaceName(name));
  if (bad === undefined) return names;
  rejected.push({ annotation: REROUTE_INTERFACES, value, reason: `${JSON.stringify(bad)} is no interface name` });
  return undefined;
}
