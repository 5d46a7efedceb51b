import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { reportLimits } from '../src/process-limits.ts';

function warnings(workerThreads: string | undefined, openFiles: () => number): readonly string[] {
  const lines: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void lines.push(message) };
  reportLimits(workerThreads === undefined ? {} : { workerThreads }, { logger, openFiles });
  return lines;
}

const many = (): number => 1_048_576;

describe('reportLimits', () => {
  it('says nothing where there is nothing to say', () => {
    expect(warnings(undefined, many)).to.deep.equal([]);
    expect(warnings('1', many)).to.deep.equal([]);
  });

  it('says that threads are not as many as was asked for', () => {
    expect(warnings('50%', many)).to.have.length(1);
    expect(warnings('0', many)[0]).to.match(/one thread carries/);
  });

  it('says that few files may be open', () => {
    expect(warnings(undefined, () => 65_535)[0]).to.match(/raise the hard limit/);
  });

  it('says nothing of a limit that cannot be read', () => {
    const hidden = (): never => {
      throw new Error('ENOENT');
    };
    expect(warnings(undefined, hidden)).to.deep.equal([]);
  });
});
