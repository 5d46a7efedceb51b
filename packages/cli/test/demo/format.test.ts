import { expect } from 'chai';
import { describe, it } from 'mocha';
import { formatStep, formatSummary } from '../../src/demo/format.ts';
import { plainStyle, styleFor } from '../../src/terminal/style.ts';

const text = { width: 80, style: plainStyle };
const step = {
  name: 'The namespace label',
  why: 'One label enrols a namespace; nothing in the services changes.',
  ok: true,
  evidence:
    'payments-0 captured on node-a; 5 pods answered within 840 ms of the edit, and every one of them said that it was ready for service',
  durationMs: 1234,
};

describe('formatStep', () => {
  it('is one block: verdict, name and time, then why, then each fact', () => {
    expect(formatStep(step, 2, text).split('\n')).to.deep.equal([
      '✓ 2  The namespace label                                                   1.2 s',
      '    One label enrols a namespace; nothing in the services changes.',
      '    · payments-0 captured on node-a',
      '    · 5 pods answered within 840 ms of the edit, and every one of them said that',
      '      it was ready for service',
      '',
    ]);
  });

  it('draws the trace of a step below its facts, within the width', () => {
    const span = { traceId: 't', name: 'POST /pay', kind: 'server', startMs: 0, status: 'unset', attributes: {} } as const;
    const spans = [
      { ...span, spanId: 'a', durationMs: 10, service: 'payments' },
      { ...span, spanId: 'b', parentSpanId: 'a', durationMs: 5, service: 'ledger' },
    ];
    const connections = [{ name: 'ztunnel node-a outbound', parentSpanId: 'a', startMs: 1, durationMs: 8 }];
    const lines = formatStep({ ...step, evidence: 'one', trace: { traceId: 't', spans, connections } }, 15, text).split('\n');
    const drawn = lines.slice(lines.indexOf('    · one') + 1, -1);
    expect(drawn.map((line) => line.slice(0, 30).trimEnd())).to.deep.equal([
      '',
      '    payments POST /pay',
      '    └ ledger POST /pay',
      '    └ ztunnel node-a outbound',
    ]);
    for (const line of lines) expect(line.length).to.be.at.most(80);
  });

  it('marks a step that does not hold', () => {
    expect(formatStep({ ...step, ok: false }, 2, text)).to.match(/^✗ 2 /);
  });

  it('never exceeds the width', () => {
    for (const line of formatStep(step, 2, { width: 60, style: plainStyle }).split('\n')) expect(line.length).to.be.at.most(60);
  });

  it('colours the verdict for a terminal only', () => {
    const escape = String.fromCharCode(27);
    expect(formatStep(step, 2, { width: 80, style: styleFor({ isTTY: true }, {}) })).to.include(`${escape}[32m✓`);
    expect(formatStep(step, 2, text)).not.to.include(escape);
  });
});

describe('formatSummary', () => {
  const wire = {
    plaintextBytes: 0,
    totalBytes: 40_000,
    tlsConnections: 9,
    tlsVersions: ['TLSv1.3'],
    firstGroup: 'X25519MLKEM768',
    agreedGroups: ['X25519MLKEM768'],
    secretsSeen: 0,
  };

  it('counts the steps that hold and says what the wire showed', () => {
    const report = { ok: false, steps: [step, { ...step, ok: false }], wire, durationMs: 14_200 };
    expect(formatSummary(report, text).split('\n').slice(0, 2)).to.deep.equal([
      '✗ 1 of 2 steps hold · 14.2 s',
      '  0 plaintext bytes on the wire, TLSv1.3, X25519MLKEM768 first',
    ]);
  });
});
