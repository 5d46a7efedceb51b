import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { ObjectStatus } from '@clearmesh/control-plane/report/status-report';
import { selectObjects, statusRows } from '../../src/get/status-rows.ts';
import { renderStatus } from '../../src/get/status-table.ts';
import { plainStyle, styleFor } from '../../src/terminal/style.ts';

const condition = (type: string, status: 'True' | 'False', message: string) => ({ type, status, reason: 'Why', message });
const parentRef = { group: '', kind: 'Service', name: 'ledger' };
const objects: Readonly<Record<string, ObjectStatus>> = {
  'Namespace ledger': {},
  'HTTPRoute ledger/ledger': {
    parents: [{ parentRef, controllerName: 'c', conditions: [condition('Accepted', 'True', 'the route is valid')] }],
  },
  'Gateway ledger/ledger-waypoint': {
    conditions: [condition('Accepted', 'True', 'ours'), condition('Programmed', 'False', 'no pod is ready')],
  },
  'Gateway cards/ledger-waypoint': { conditions: [] },
};

describe('selectObjects', () => {
  for (const [name, query, keys] of [
    ['everything in order', {}, Object.keys(objects).sort()],
    ['a kind', { kind: 'Gateway' }, ['Gateway cards/ledger-waypoint', 'Gateway ledger/ledger-waypoint']],
    ['a kind in a namespace', { kind: 'Gateway', namespace: 'ledger' }, ['Gateway ledger/ledger-waypoint']],
    ['a name', { name: 'ledger' }, ['HTTPRoute ledger/ledger', 'Namespace ledger']],
    ['nothing', { name: 'x' }, []],
  ] as const) {
    it(`selects ${name}`, () => {
      expect(Object.keys(selectObjects(objects, query))).to.deep.equal(keys);
    });
  }
});

describe('renderStatus', () => {
  const rows = statusRows(selectObjects(objects, {}));

  it('has a row a condition, of a route with its parent, and one for objects of which nothing is said', () => {
    expect(renderStatus(rows, 120, plainStyle)).to.deep.equal([
      'KIND       NAMESPACE  NAME             CONDITION   STATUS  REASON  MESSAGE',
      'Gateway    cards      ledger-waypoint  -           -       -',
      'Gateway    ledger     ledger-waypoint  Accepted    True    Why     ours',
      'Gateway    ledger     ledger-waypoint  Programmed  False   Why     no pod is ready',
      'HTTPRoute  ledger     ledger           Accepted    True    Why     Service ledger: the route is valid',
      'Namespace  -          ledger           -           -       -',
    ]);
  });

  it('puts messages below their rows where there is no room beside them, and cuts none', () => {
    const long = 'no pod is ready behind it, and calls that need it are refused until one is';
    const [row] = statusRows({ 'Gateway a/b': { conditions: [condition('Programmed', 'False', long)] } });
    const [, ...lines] = renderStatus([row!], 60, plainStyle);
    expect(lines[0]).to.equal('Gateway  a          b     Programmed  False   Why');
    expect(
      lines
        .slice(1)
        .map((line) => line.trim())
        .join(' '),
    ).to.equal(long);
    for (const line of lines) expect(line.length).to.be.at.most(60);
  });

  it('lets what is not true stand out on a terminal', () => {
    const escape = String.fromCharCode(27);
    const lines = renderStatus(rows, 120, styleFor({ isTTY: true }, {}));
    expect(lines.filter((line) => line.includes(`${escape}[31m`)).length).to.equal(1);
  });
});
