/** What bounds the process from outside, as far as the operator should hear of it at start. */
import { openFilesLimit } from '@clearmesh/shared/lifecycle/open-files-limit';
import type { EnvironmentReader } from '@clearmesh/shared/lifecycle/environment';
import type { Logger } from '@clearmesh/shared/observe/log';

/** Two files a connection, for as many as one pod may have open. */
const wantedFiles = 65_536;

/**
 * ZTUNNEL_WORKER_THREADS, a number or a share of the cores. It is checked and not obeyed: connections are carried by one
 * thread, beside which OpenSSL's keys and signatures have Node's own.
 */
export function readWorkerThreads(reader: EnvironmentReader): string | undefined {
  const name = 'ZTUNNEL_WORKER_THREADS';
  const text = reader.text(name, '');
  if (text === '') return undefined;
  const share = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1];
  const isShare = share !== undefined && Number(share) > 0 && Number(share) <= 100;
  if (!isShare && !/^\d{1,5}$/.test(text))
    reader.reject(name, 'set it to a number of threads, or a share of the cores such as 50%; or unset it');
  return text;
}

/** Says what the process will not do as its surroundings might have wished. */
export function reportLimits(
  { workerThreads }: { readonly workerThreads?: string },
  { logger, openFiles = openFilesLimit }: { readonly logger: Logger; readonly openFiles?: () => number },
): void {
  if (workerThreads !== undefined && workerThreads !== '1')
    logger.warn('ZTUNNEL_WORKER_THREADS is not obeyed: one thread carries connections', { asked: workerThreads });
  try {
    const files = openFiles();
    if (files < wantedFiles)
      logger.warn('few files may be open at a time, hence few connections; raise the hard limit of the container', {
        files,
        wanted: wantedFiles,
      });
  } catch (error) {
    logger.debug('the limit of open files is not known', { error: String(error) });
  }
}
