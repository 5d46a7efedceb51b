import { expect } from 'chai';
import { describe, it } from 'mocha';
import { plainStyle } from '../../src/terminal/style.ts';
import { renderTraffic } from '../../src/traffic/table.ts';

const rows = [
  {
    source: 'customer-analytics/analytics-0',
    destination: 'customer-analytics/analytics',
    identity: 'customer-analytics/analytics',
    connections: 12,
    bytes: 3400,
    denials: 0,
  },
  { source: 'default/stranger-0', destination: 'ledger/ledger', identity: undefined, connections: 0, bytes: 0, denials: 2 },
];

describe('renderTraffic', () => {
  it('keeps every name whole where there is room', () => {
    expect(renderTraffic(rows, 140, plainStyle)).to.deep.equal([
      'SOURCE                          DESTINATION                   IDENTITY                      CONNS    BYTES  DENIED',
      'customer-analytics/analytics-0  customer-analytics/analytics  customer-analytics/analytics     12  3.3 KiB       0',
      'default/stranger-0              ledger/ledger                 none                              0      0 B       2',
    ]);
  });

  it('works at 80 columns', () => {
    const lines = renderTraffic(rows, 80, plainStyle);
    expect(lines).to.deep.equal([
      'SOURCE       DESTINATION           IDENTITY               CONNS    BYTES  DENIED',
      'analytics-0  customer-…/analytics  customer-a…/analytics     12  3.3 KiB       0',
      'stranger-0   ledger/ledger         none                       0      0 B       2',
    ]);
    expect(lines.every((line) => line.length <= 80)).to.equal(true);
  });

  it('marks a pair that gets nothing but refusals', () => {
    const marked = { ...plainStyle, bad: (text: string) => `!${text}` };
    const mixed = { ...rows[0]!, denials: 3 };
    expect(renderTraffic([mixed, rows[1]!], 80, marked).map((line) => line.startsWith('!'))).to.deep.equal([false, false, true]);
  });

  it('says so when nothing was counted yet', () => {
    expect(renderTraffic([], 80, plainStyle).at(-1)).to.equal('no connections yet');
  });
});
