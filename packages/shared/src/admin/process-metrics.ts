/** What the process uses, read at scrape time: open files first, since running out of them is how proxies die quietly. */
import { readdirSync, statSync } from 'node:fs';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { openFilesLimit } from '../lifecycle/open-files-limit.ts';

/** Registers process_open_fds, process_max_fds, process_resident_memory_bytes and process_cpu_seconds_total. */
export function registerProcessMetrics(registry: Registry): void {
  gauge(registry, 'process_open_fds', 'Open file descriptors', openFiles);
  gauge(registry, 'process_max_fds', 'Soft limit of open file descriptors', openFilesLimit);
  gauge(registry, 'process_resident_memory_bytes', 'Resident memory in bytes', () => process.memoryUsage.rss());
  const cpu: Counter = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time used, in seconds',
    registers: [registry],
    collect: () => {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
  });
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const metric: Gauge = new Gauge({ name, help, registers: [registry], collect: () => metric.set(readOr0(read)) });
}

/** /proc may be hidden; a scrape must not fail for that. */
function readOr0(read: () => number): number {
  try {
    return read();
  } catch {
    return 0;
  }
}

/**
 * As the size of the directory, which Linux 6.2 and newer tell (proc_pid_fd(5)): to list ten thousand of them takes the loop
 * tens of milliseconds, at every scrape.
 */
function openFiles(): number {
  const directory = '/proc/self/fd';
  return statSync(directory).size || readdirSync(directory).length;
}
