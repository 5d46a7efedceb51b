/** The rules of l4-contract section 6, written here by hand so that tests do not lean on the node agent's. */
import { execFileSync } from 'node:child_process';
import type { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';

const rules = `
table ip pod {
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
    meta l4proto tcp ip daddr != 127.0.0.1 tcp dport != 15008 meta mark & 0xfff != 0x539 redirect to :15006
  }
  chain nat-out {
    type nat hook output priority -100;
    meta l4proto tcp meta mark & 0xfff == 0x111 accept
    oifname "lo" ip daddr != 127.0.0.1 accept
    meta l4proto tcp ip daddr != 127.0.0.1 meta mark & 0xfff != 0x539 redirect to :15001
  }
}`;

/** Has the connections of a pod's namespace redirected, those of one version of IP. */
export function captureIn(bed: NamespaceBed, name: string, version: 4 | 6 = 4): void {
  const ip = ['ip', `-${version}`] as const;
  bed.exec(name, ...ip, 'rule', 'add', 'fwmark', '0x111/0xfff', 'pref', '32764', 'lookup', '100');
  bed.exec(name, ...ip, 'route', 'add', 'local', version === 4 ? '0.0.0.0/0' : '::/0', 'dev', 'lo', 'table', '100');
  const input =
    version === 4 ? rules : rules.replace('table ip ', 'table ip6 ').replaceAll('ip daddr != 127.0.0.1', 'ip6 daddr != ::1');
  execFileSync('ip', ['netns', 'exec', bed.nameOf(name), 'nft', '-f', '-'], { input, timeout: 10_000 });
}
