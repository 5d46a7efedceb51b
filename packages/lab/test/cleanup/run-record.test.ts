import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parseRunRecord } from '../../src/cleanup/run-record.ts';

const record = {
  version: 1,
  id: 'demo',
  owner: { pid: 42, startTicks: 4711 },
  namespaces: ['cm-demo-node-a', 'cm-demo-bank.ledger'],
  processes: [{ pid: 43, startTicks: 4712 }],
  workDir: '/run/clearmesh/work/demo',
};

describe('parseRunRecord', () => {
  it('reads what was written', () => {
    expect(parseRunRecord(JSON.stringify(record))).to.deep.equal(record);
  });

  for (const [what, change] of [
    ['a namespace of another lab', { namespaces: ['cm-other-node-a'] }],
    ['a namespace that is not a lab’s', { namespaces: ['blue'] }],
    ['a path for a namespace', { namespaces: ['cm-demo-/../../etc'] }],
    ['a namespace that is no text', { namespaces: [1] }],
    ['an id with a path', { id: '../x' }],
    ['no owner', { owner: undefined }],
    ['process 1 as owner', { owner: { pid: 1, startTicks: 0 } }],
    ['process 0, which kill(2) takes for a group', { processes: [{ pid: 0, startTicks: 0 }] }],
    ['a negative process, which kill(2) takes for a group', { processes: [{ pid: -5, startTicks: 0 }] }],
    ['a process without start time', { processes: [{ pid: 43 }] }],
    ['another version', { version: 2 }],
    ['a work directory that is no text', { workDir: 1 }],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(parseRunRecord(JSON.stringify({ ...record, ...change }))).to.equal(undefined);
    });
  }

  it('never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseRunRecord(text)));
  });
});
