import { expect } from 'chai';
import { describe, it } from 'mocha';
import { overviewOf, renderOverview } from '../../src/status/overview.ts';
import { plainStyle } from '../../src/terminal/style.ts';
import { authorization, bank, viewOf, waypoint } from '../mesh/bank.ts';

const view = viewOf([bank, waypoint, authorization('allow-payments', { rules: [] })]);

describe('overview', () => {
  it('counts who is in the mesh, and what guards them', () => {
    const { pods, services, waypoints, policies } = overviewOf(view, {}).mesh;
    expect([pods, services, waypoints, policies]).to.deep.equal([
      '3 in the mesh, 0 enrolled and not captured, 1 outside',
      '3, 1 of them behind a waypoint',
      '0 of 1 programmed',
      '1 at ztunnels, 0 at waypoints',
    ]);
  });

  it('has a row for each namespace that has something', () => {
    expect(overviewOf(view, {}).namespaces.map((row) => Object.values(row))).to.deep.equal([
      ['payments', '1/1', 'STRICT', '', '0'],
      ['ledger', '2/2', 'STRICT', 'ledger/gate', '1'],
      ['branch', '0/1', '', '', '0'],
    ]);
  });

  it('is printed with the parts of an installation, with what is not in force, and with what stands in its place', () => {
    const problem = {
      code: 'MESH-CONFIG-001',
      file: '',
      line: 0,
      column: 0,
      object: 'Gateway ledger/x',
      field: 'spec',
      value: '',
      message: 'is odd',
      remedy: '',
    } as const;
    const overview = overviewOf(
      { ...view, problems: [problem, { ...problem, object: 'AuthorizationPolicy ledger/p', effect: 'Everybody is refused.' }] },
      { 'control plane': { desired: 2, ready: 1 }, ztunnels: undefined },
    );
    const text = renderOverview(overview, 80, plainStyle).join('\n');
    expect(text).to.match(/control plane +1 of 2 ready\n +ztunnels +not installed\n/);
    expect(text).to.include('→ Gateway ledger/x is not in force as written: spec is odd\n');
    expect(text.replaceAll(/\s+/g, ' ')).to.include('a good version: Everybody is refused.');
  });
});
