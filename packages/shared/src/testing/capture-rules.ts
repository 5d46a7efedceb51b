/** The rules of l4-contract section 6, written here by hand so that tests do not lean on the node agent's. */

export type CaptureOptions = {
  /** @default 4 */
  readonly version?: 4 | 6;
  /** A group whose own connections are left alone, as of a proxy within the pod. @default none */
  readonly sparedGroup?: number;
};

/** What `nft -f -` is to read in the pod's namespace, so that its connections are redirected. */
export function captureRules({ version = 4, sparedGroup }: CaptureOptions = {}): string {
  const destination = version === 4 ? 'ip daddr != 127.0.0.1' : 'ip6 daddr != ::1';
  return `
table ${version === 4 ? 'ip' : 'ip6'} pod {
  chain mangle-in {
    type filter hook prerouting priority mangle;
    meta mark & 0xfff == 0x539 ct mark set 0x111
  }
  chain mangle-out {
    type route hook output priority mangle;
    ct mark & 0xfff == 0x111 meta mark set 0x111
  }
  chain nat-in {
    type nat hook prerouting priority dstnat;
    meta l4proto tcp ${destination} tcp dport != 15008 meta mark & 0xfff != 0x539 redirect to :15006
  }
  chain nat-out {
    type nat hook output priority -100;
    ${sparedGroup === undefined ? '' : `meta skgid ${sparedGroup} accept`}
    meta l4proto tcp meta mark & 0xfff == 0x111 accept
    oifname "lo" ${destination} accept
    meta l4proto tcp ${destination} meta mark & 0xfff != 0x539 redirect to :15001
  }
}`;
}

/** Commands that go before the rules: answers to a caller whose address is kept come back to the proxy. */
export function captureCommands({ version = 4 }: CaptureOptions = {}): readonly (readonly [string, ...string[]])[] {
  const ip = ['ip', `-${version}`] as const;
  return [
    [...ip, 'rule', 'add', 'fwmark', '0x111/0xfff', 'pref', '32764', 'lookup', '100'],
    [...ip, 'route', 'add', 'local', version === 4 ? '0.0.0.0/0' : '::/0', 'dev', 'lo', 'table', '100'],
  ];
}
