import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describe, it } from 'mocha';

const module = join(import.meta.dirname, '../../src/observe/log.ts');

/** Standard output of a process that logs three lines and then does `end`. */
async function outputOf(format: string, end: string): Promise<string[]> {
  const script = `
    import { createLogger } from ${JSON.stringify(module)};
    const logger = createLogger('x', { format: '${format}' });
    for (const count of [1, 2, 3]) logger.info('line', { count });
    ${end}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 10_000,
  }).catch((error: unknown) => error as { stdout: string });
  return stdout.split('\n').slice(0, -1);
}

describe('standard output of a log', () => {
  for (const format of ['plain', 'json']) {
    it(`has every ${format} line in order when the process ends by itself`, async () => {
      expect((await outputOf(format, '')).map((line) => /count\W+(\d)/.exec(line)?.[1])).to.deep.equal(['1', '2', '3']);
    });

    it(`has every ${format} line when the process is ended in the same turn`, async () => {
      expect(await outputOf(format, `logger.error('last'); process.exit(1);`)).to.have.length(4);
    });
  }
});
