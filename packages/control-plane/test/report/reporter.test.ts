import { expect } from 'chai';
import { describe, it } from 'mocha';
import { derive } from '../../src/derive/derive.ts';
import { defaultDeriveOptions } from '../../src/derive/options.ts';
import { Reporter } from '../../src/report/reporter.ts';
import { now } from '../fixtures/derivation.ts';
import { collectionsFrom, gatewayText } from '../fixtures/manifest-text.ts';
import type { StatusReport } from '../../src/report/status-report.ts';

function setUp(): { reporter: Reporter; reports: StatusReport[]; programmed: () => Promise<string | undefined> } {
  const reports: StatusReport[] = [];
  const reporter = new Reporter(defaultDeriveOptions, { write: (report) => void reports.push(report) });
  const collections = collectionsFrom(gatewayText('gate'), ['ledger/gate-0']);
  reporter.recvConfigured({ collections, model: derive(collections, defaultDeriveOptions, now), nowMs: now });
  const programmed = async (): Promise<string | undefined> => {
    await Promise.resolve();
    const conditions = reports.at(-1)?.objects['Gateway ledger/gate']?.conditions;
    return conditions?.find(({ type }) => type === 'Programmed')?.reason;
  };
  return { reporter, reports, programmed };
}

describe('Reporter', () => {
  it('makes one report of the changes of one turn', async () => {
    const { reporter, reports } = setUp();
    reporter.recvProblems([]);
    reporter.recvProblems([]);
    await Promise.resolve();
    expect(reports).to.have.length(1);
  });

  it('reports a refusal until it is taken back by an acceptance', async () => {
    const { reporter, reports, programmed } = setUp();
    using session = reporter.connected('ledger/gate', 'gate-0');
    session.recvAnswer('no');
    expect(await programmed()).to.equal('Invalid');
    session.recvAnswer('no');
    await Promise.resolve();
    expect(reports).to.have.length(1);
    session.recvAnswer(undefined);
    expect(await programmed()).to.equal('Programmed');
  });

  it('forgets a refusal with the stream that brought it, and not that of another stream of the pod', async () => {
    const { reporter, programmed } = setUp();
    const first = reporter.connected('ledger/gate', 'gate-0');
    using second = reporter.connected('ledger/gate', 'gate-0');
    first.recvAnswer('no');
    second.recvAnswer('no');
    first[Symbol.dispose]();
    expect(await programmed()).to.equal('Invalid');
    second.recvAnswer(undefined);
    expect(await programmed()).to.equal('Programmed');
  });

  it('does not mind waypoints of no Gateway', async () => {
    const { reporter, programmed } = setUp();
    using stranger = reporter.connected('bank/teller', 'teller-0');
    stranger.recvAnswer('no');
    expect(await programmed()).to.equal('Programmed');
  });
});
