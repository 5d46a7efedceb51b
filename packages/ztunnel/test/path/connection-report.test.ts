import { expect } from 'chai';
import { describe, it } from 'mocha';
import { policyKey } from '@clearmesh/shared/model/names';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { LogFields } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { identity, service, socketAddress, workload } from '@clearmesh/shared/testing/builders';
import type { DenialFacts } from '../../src/admin/metrics.ts';
import type { RelayEnd, RelaySide } from '@clearmesh/shared/net/relay';
import type { Direction } from '../../src/path/access-log.ts';
import { ConnectionCut } from '../../src/path/connection-cut.ts';
import { endOfDenial, endOfFailure, endOfRelay, openReport } from '../../src/path/connection-report.ts';
import type { Bytes, ConnectionReport } from '../../src/path/connection-report.ts';

type Bed = {
  readonly report: ConnectionReport;
  readonly clock: FakeClock;
  readonly lines: LogFields[];
  readonly closed: unknown[];
  readonly denied: DenialFacts[];
};

function bed(direction: Direction): Bed {
  const clock = new FakeClock();
  const lines: LogFields[] = [];
  const closed: unknown[] = [];
  const denied: DenialFacts[] = [];
  const keep = (_message: string, fields: LogFields = {}): void => void lines.push(fields);
  const report = openReport(
    {
      direction,
      source: { address: socketAddress('10.0.0.1:1'), workload: workload(), identity: identity('bank', 'default') },
      destination: { address: socketAddress('10.0.0.2:15008'), service: service() },
    },
    clock.monotonicMs(),
    () => ({ received: 10, sent: 20 }),
    {
      clock,
      failures: { recvFailure: () => {} },
      lines: { isWanted: () => true },
      log: { ...silentLogger, info: keep, error: keep },
      metrics: {
        tcp: { open: () => ({ close: (bytes: Bytes, flag) => closed.push([bytes, flag]) }) },
        denied: (facts) => denied.push(facts),
      },
    },
  );
  return { report, clock, lines, closed, denied };
}

const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

describe('ConnectionReport', () => {
  const views: readonly [Direction, number, number][] = [
    ['outbound', 10, 20],
    ['inbound', 20, 10],
  ];
  for (const [direction, sent, received] of views) {
    it(`logs the bytes of an ${direction} connection from its own point of view and counts them from the client’s`, () => {
      const { report, clock, lines, closed } = bed(direction);
      clock.advance(1_500);
      report.complete({ flag: '-' });
      expect(lines[0]).to.include({
        bytes_sent: sent,
        bytes_recv: received,
        duration: '1500ms',
        'dst.service': 'server.bank.svc.cluster.local',
      });
      expect(closed).to.deep.equal([[{ received: 10, sent: 20 }, '-']]);
    });
  }

  it('counts a denial with its policy, and logs policy and rule', () => {
    const { report, lines, denied } = bed('inbound');
    const policy = policyKey('bank', 'deny');
    report.complete(endOfDenial({ kind: 'denied', reason: 'explicit-deny', policy, rule: 1, explanation: 'no', dryRun: [] }));
    expect(lines[0]).to.include({ policy, rule: 1, error: 'connection closed due to policy rejection: no' });
    expect(denied).to.deep.equal([{ direction: 'inbound', reason: 'explicit-deny', policy, flag: 'DENY' }]);
  });
});

describe('endOfRelay', () => {
  const cases: readonly [string, RelayEnd, RelaySide | undefined, string | undefined][] = [
    ['an end in order', { kind: 'complete' }, 'far', undefined],
    ['a reset by the application', { kind: 'broken', side: 'near', error: reset }, 'far', undefined],
    ['a reset of plain text', { kind: 'broken', side: 'far', error: reset }, undefined, undefined],
    ['a broken tunnel', { kind: 'broken', side: 'far', error: reset }, 'far', 'read ECONNRESET'],
    ['an application’s other failure', { kind: 'broken', side: 'near', error: new Error('odd') }, 'far', 'odd'],
  ];
  for (const [title, end, tunnelSide, error] of cases) {
    it(`${error === undefined ? 'reports no error for' : 'reports'} ${title}`, () => {
      expect(endOfRelay(end, tunnelSide)).to.deep.equal(error === undefined ? { flag: '-' } : { flag: '-', error });
    });
  }

  it('reports a cut with its flag and policy', () => {
    const policy = policyKey('bank', 'deny');
    const reason = new ConnectionCut({ flag: 'DENY', denial: 'policy-change', message: 'cut', policy, rule: 0 });
    expect(endOfRelay({ kind: 'cut', reason }, 'far')).to.deep.equal({
      flag: 'DENY',
      error: 'cut',
      denial: 'policy-change',
      policy,
      rule: 0,
    });
  });
});

describe('endOfFailure', () => {
  it('is the failure', () => {
    expect(endOfFailure('CONNECT', new Error('refused'), new AbortController().signal)).to.deep.equal({
      flag: 'CONNECT',
      error: 'refused',
    });
  });

  it('is the cut when the proxy cut the attempt meanwhile', () => {
    const signal = AbortSignal.abort(new ConnectionCut({ flag: '-', denial: 'draining', message: 'drain' }));
    expect(endOfFailure('CONNECT', new Error('refused'), signal)).to.include({ flag: '-', error: 'drain' });
  });
});
