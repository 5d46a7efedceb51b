import { execFileSync } from 'node:child_process';
import type { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { captureCommands, captureRules } from '@clearmesh/shared/testing/capture-rules';

/** Has the connections of a pod's namespace redirected, those of one version of IP. */
export function captureIn(bed: NamespaceBed, name: string, version: 4 | 6 = 4): void {
  for (const command of captureCommands({ version })) bed.exec(name, ...command);
  const input = captureRules({ version });
  execFileSync('ip', ['netns', 'exec', bed.nameOf(name), 'nft', '-f', '-'], { input, timeout: 10_000 });
}
