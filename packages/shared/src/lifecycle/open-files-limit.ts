import { readFileSync } from 'node:fs';

/**
 * How many files the process may have open: its soft limit, which Node raises to the hard one when it starts
 * (PlatformInit in node.cc). Throws where /proc is hidden.
 */
export function openFilesLimit(): number {
  const [, soft = '0'] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft);
}
