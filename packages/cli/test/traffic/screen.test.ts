import { expect } from 'chai';
import { describe, it } from 'mocha';
import { plainStyle } from '../../src/terminal/style.ts';
import { screenOf } from '../../src/traffic/screen.ts';

const size = { width: 40, height: 24, style: plainStyle };
const table = (rows: number): readonly string[] => ['HEADER', ...Array.from({ length: rows }, (_, i) => `row ${i}`)];

describe('screenOf', () => {
  it('shows everything where there is room', () => {
    expect(screenOf({ title: 'Live', table: table(2), notes: ['one', 'two'] }, size)).to.deep.equal([
      '',
      'Live',
      '',
      'HEADER',
      'row 0',
      'row 1',
      '',
      'one',
      'two',
      '',
    ]);
  });

  it('wraps notes, since what is wrong stands at their end', () => {
    const note =
      'bank.yaml:8:11: AuthorizationPolicy bank/x: spec.action: must be one of ALLOW, DENY\n  → Write one of ALLOW, DENY.';
    const lines = screenOf({ title: 'Live', table: table(1), notes: [note] }, size);
    expect(lines.join(' ')).to.include('must be one').and.to.include('  → Write one of');
    for (const line of lines) expect(line.length).to.be.at.most(40);
  });

  it('cuts a word that is longer than the window', () => {
    const lines = screenOf({ title: 'x'.repeat(99), table: table(1), notes: ['x'.repeat(99)] }, size);
    for (const line of lines) expect(line.length).to.be.at.most(40);
  });

  for (const [name, rows, notes] of [
    ['many rows', 100, 0],
    ['many notes', 2, 100],
    ['both', 100, 100],
    ['one long note', 100, 1],
  ] as const) {
    it(`never draws more than the window holds: ${name}`, () => {
      const text = name === 'one long note' ? 'word '.repeat(500) : 'note';
      const lines = screenOf({ title: 'Live', table: table(rows), notes: Array.from({ length: notes }, () => text) }, size);
      expect(lines.length).to.be.at.most(23);
      expect(lines.slice(3, 6)).to.deep.equal(['HEADER', 'row 0', 'row 1']);
    });
  }

  it('says how many rows it leaves out', () => {
    expect(screenOf({ title: 'Live', table: table(100), notes: [] }, size).at(-2)).to.equal('… and 83 more');
  });

  it('keeps everything where there is no window', () => {
    expect(screenOf({ title: 'Live', table: table(100), notes: [] }, { ...size, height: Infinity }).length).to.equal(105);
  });
});
