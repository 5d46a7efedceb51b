import type { Logger } from '../observe/log.ts';

/** Resolves at the first SIGTERM or SIGINT; a second SIGINT ends the process at once. */
export function untilSignalled(process: Pick<NodeJS.Process, 'on' | 'exit'>, logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let interrupts = 0;
    process.on('SIGTERM', () => resolve());
    process.on('SIGINT', () => {
      interrupts += 1;
      if (interrupts === 1) return resolve();
      logger.warn('interrupted again, ending at once');
      process.exit(0);
    });
  });
}
