import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields } from '@clearmesh/shared/observe/log';
import { identity, workload } from '@clearmesh/shared/testing/builders';
import { IgnoredCallers } from '../../src/path/ignored-callers.ts';

function bed(maxMentioned?: number): {
  readonly ignored: IgnoredCallers;
  readonly lines: LogFields[];
  readonly counted: () => number;
} {
  const lines: LogFields[] = [];
  let count = 0;
  const logger = { ...silentLogger, warn: (_message: string, fields: LogFields = {}) => void lines.push(fields) };
  const options = maxMentioned === undefined ? {} : { maxMentioned };
  return {
    ignored: new IgnoredCallers(options, { metrics: { callerIgnored: () => void count++ }, logger }),
    lines,
    counted: () => count,
  };
}

const server = workload({ name: 'server', serviceAccount: 'server-sa' });

describe('IgnoredCallers', () => {
  it('counts each claim and mentions each peer once', () => {
    const { ignored, lines, counted } = bed();
    for (const account of ['a', 'a', 'b', 'a']) ignored.recvIgnored(identity('bank', account), 'whoever', server);
    expect(counted()).to.equal(4);
    expect(lines.map((line) => line['src.identity'])).to.deep.equal([identity('bank', 'a'), identity('bank', 'b')]);
  });

  it('says who spoke for whom to whom, of a long claim the beginning', () => {
    const { ignored, lines } = bed();
    ignored.recvIgnored(identity('bank', 'a'), 'x'.repeat(1_000), server);
    expect(lines[0]).to.deep.equal({
      'src.identity': identity('bank', 'a'),
      'src.caller': 'x'.repeat(200),
      'dst.identity': identity('bank', 'server-sa'),
    });
  });

  it('goes on counting when it remembers as many peers as it may', () => {
    const { ignored, lines, counted } = bed(1);
    for (const account of ['a', 'b', 'c']) ignored.recvIgnored(identity('bank', account), 'whoever', server);
    expect([lines.length, counted()]).to.deep.equal([1, 3]);
  });
});
