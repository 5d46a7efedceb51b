import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields } from '@clearmesh/shared/observe/log';
import type { DenialFacts } from '../../src/admin/metrics.ts';
import type { AccessEntry } from '../../src/path/access-selection.ts';
import { ConnectionCut } from '../../src/path/connection-cut.ts';
import { recordEarlyFailure } from '../../src/path/early-failures.ts';
import type { FailureFacts } from '../../src/path/last-failure.ts';
import { Refusal } from '../../src/path/refusal.ts';

type Recorded = {
  readonly counted: DenialFacts[];
  readonly lines: LogFields[];
  readonly asked: AccessEntry[];
  readonly failures: FailureFacts[];
};

function record(thrown: unknown, isWanted = true): Recorded {
  const recorded: Recorded = { counted: [], lines: [], asked: [], failures: [] };
  recordEarlyFailure(
    { direction: 'outbound', thrown },
    {
      log: { ...silentLogger, warn: (_message, fields = {}) => void recorded.lines.push(fields) },
      lines: { isWanted: (entry) => (recorded.asked.push(entry), isWanted) },
      metrics: { denied: (facts) => recorded.counted.push(facts) },
      failures: { recvFailure: (failure) => recorded.failures.push(failure) },
    },
  );
  return recorded;
}

describe('an early failure', () => {
  const cases = [
    [new Refusal({ reason: 'no-healthy-upstream', message: 'why' }), 'no-healthy-upstream', 'denied'],
    [new ConnectionCut({ flag: '-', denial: 'draining', message: 'why' }), 'draining', 'denied'],
    [Object.assign(new Error('getsockopt: ENOENT'), { code: 'ENOENT' }), 'unexpected', 'failed'],
  ] as const;
  for (const [thrown, reason, result] of cases) {
    it(`by ${thrown.name} ${thrown.message} is counted as ${reason}, and is ${result} for the log`, () => {
      const { counted, asked, lines, failures } = record(thrown);
      expect(counted).to.deep.equal([{ direction: 'outbound', reason, flag: '-' }]);
      expect(asked.map((entry) => entry.result)).to.deep.equal([result]);
      expect(failures).to.have.length(1);
      expect(lines[0]?.['error']).to.equal(failures[0]?.error);
    });
  }

  it('by a peer that gave up is not counted', () => {
    const { counted, lines } = record(new ConnectionCut({ flag: '-', message: 'the peer gave up' }));
    expect([counted.length, lines.length]).to.deep.equal([0, 1]);
  });

  it('is counted although its line is not wanted', () => {
    const { counted, lines, failures } = record(new Refusal({ reason: 'self-call', message: 'why' }), false);
    expect([counted.length, lines.length, failures.length]).to.deep.equal([1, 0, 1]);
  });
});
