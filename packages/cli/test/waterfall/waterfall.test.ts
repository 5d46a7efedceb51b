import { expect } from 'chai';
import { describe, it } from 'mocha';
import { plainStyle, styleFor } from '../../src/terminal/style.ts';
import type { ReceivedSpan } from '../../src/trace-receiver/span.ts';
import type { ConnectionRecord } from '../../src/waterfall/waterfall-tree.ts';
import { renderWaterfall } from '../../src/waterfall/waterfall.ts';
import { span } from '../trace-receiver/received-span.ts';

const start = Date.UTC(2026, 0, 1);
const traceId = 'a'.repeat(32);

/** A payment whose first attempt fails; the connections are those of two node proxies. */
const payment: readonly ReceivedSpan[] = [
  span('1', {
    name: 'POST /payments',
    service: 'waypoint',
    durationMs: 120,
    attributes: { 'http.response.status_code': 201 },
  }),
  span('2', {
    parentSpanId: '1'.padStart(16, '0'),
    name: 'POST',
    kind: 'client',
    startMs: start + 10,
    durationMs: 30,
    status: 'error',
    attributes: { 'error.type': 'connect-failure' },
  }),
  span('3', {
    parentSpanId: '1'.padStart(16, '0'),
    name: 'POST',
    kind: 'client',
    startMs: start + 50,
    durationMs: 60,
    attributes: { 'http.response.status_code': 201, 'http.request.resend_count': 1 },
  }),
  span('4', { parentSpanId: '3'.padStart(16, '0'), name: 'insert', service: 'ledger', startMs: start + 70, durationMs: 0.4 }),
];

const connections: readonly ConnectionRecord[] = [
  { traceId, name: 'ztunnel node-b inbound', startMs: start + 52, durationMs: 56 },
  { traceId, name: 'ztunnel node-a outbound', startMs: start - 8, durationMs: 140, error: 'closed' },
];

describe('renderWaterfall', () => {
  it('draws spans under their parents on one scale', () => {
    expect(renderWaterfall(payment, [], { width: 80, style: plainStyle })).to.deep.equal([
      'waypoint POST /payments  ████████████████████████████   120 ms  ✓ 201',
      '└ waypoint POST            ███████                     30.0 ms  ✗ connect-failu…',
      '└ waypoint POST                     ███████████████    60.0 ms  ✓ 201 retry 1',
      '  └ ledger insert                        ▏             0.40 ms  ✓',
    ]);
  });

  it('draws connections under the shortest span that holds them, or beside', () => {
    expect(renderWaterfall(payment, connections, { width: 100, style: plainStyle })).to.deep.equal([
      'ztunnel node-a outbound     ████████████████████████████████████████████   140 ms  ✗ closed',
      'waypoint POST /payments       ██████████████████████████████████████       120 ms  ✓ 201',
      '└ waypoint POST                  ██████████                               30.0 ms  ✗ connect-failure',
      '└ waypoint POST                               ███████████████████         60.0 ms  ✓ 201 retry 1',
      '  └ ztunnel node-b inbound                    ██████████████████          56.0 ms  ✓',
      '  └ ledger insert                                   ▏                     0.40 ms  ✓',
    ]);
  });

  it('has an ASCII form', () => {
    const lines = renderWaterfall(payment, connections, { width: 80, style: plainStyle, ascii: true });
    // oxlint-disable-next-line no-control-regex
    expect(lines.join('')).to.match(/^[\x20-\x7e]*$/);
    expect(lines).to.deep.equal([
      'ztunnel node-a outbound    ##########################   140 ms  x closed',
      'waypoint POST /payments     #######################     120 ms  ok 201',
      '- waypoint POST               ######                   30.0 ms  x connect-failur',
      '- waypoint POST                      ############      60.0 ms  ok 201 retry 1',
      '  - ztunnel node-b inboun             ###########      56.0 ms  ok',
      '  - ledger insert                        |             0.40 ms  ok',
    ]);
  });

  it('paints failures where there are colours, and measures without them', () => {
    const style = styleFor({ isTTY: true }, {});
    const lines = renderWaterfall(payment, [], { width: 80, style });
    expect(lines[1]).to.include(style.bad('███████'));
    // oxlint-disable-next-line no-control-regex
    const bare = lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''));
    expect(bare.map((line) => line.trimEnd())).to.deep.equal(renderWaterfall(payment, [], { width: 80, style: plainStyle }));
  });

  for (const width of [20, 40, 57, 80, 120, 300]) {
    it(`draws no line longer than ${Math.max(40, width)} characters at a width of ${width}`, () => {
      for (const ascii of [false, true])
        for (const line of renderWaterfall(payment, connections, { width, style: plainStyle, ascii }))
          expect(line.length).to.be.at.most(Math.max(40, width));
    });
  }

  it('draws a trace whose root is missing, and one without duration', () => {
    const orphan = span('9', { parentSpanId: 'f'.repeat(16), name: 'late', durationMs: 0 });
    expect(renderWaterfall([orphan], [], { width: 60, style: plainStyle })).to.deep.equal([
      'waypoint late  ▏                                 0.00 ms  ✓',
    ]);
  });

  it('ends on spans that are each other’s parents', () => {
    const [one, two] = ['1', '2'].map((id) => id.padStart(16, '0')) as [string, string];
    const circle = [span('1', { parentSpanId: two }), span('2', { parentSpanId: one })];
    expect(renderWaterfall(circle, [], { width: 60, style: plainStyle })).to.deep.equal(['no spans yet']);
  });

  it('says that there is nothing', () => {
    expect(renderWaterfall([], [], { width: 60, style: plainStyle })).to.deep.equal(['no spans yet']);
  });

  it('shows no control character of a name', () => {
    const [line = ''] = renderWaterfall([span('1', { name: '\u001b[2Jx\ny' })], [], { width: 60, style: plainStyle });
    expect(line).to.include('?[2Jx?y');
  });
});
