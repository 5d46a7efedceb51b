import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { parseExposition } from '../../src/traffic/exposition.ts';

describe('parseExposition', () => {
  it('reads samples with and without labels', () => {
    const samples = parseExposition('# HELP up x\n# TYPE up gauge\nup 1\nreq_total{a="1",b="x\\"y\\\\z\\n"} 3.5 1700000000\n');
    expect(samples.map(({ name, labels, value }) => [name, Object.fromEntries(labels), value])).to.deep.equal([
      ['up', {}, 1],
      ['req_total', { a: '1', b: 'x"y\\z\n' }, 3.5],
    ]);
  });

  it('leaves out lines of another shape', () => {
    expect(parseExposition('up\nup x\n{a="b"} 1\nreq{a=b} 1\nreq{a="b" 1\n')).to.deep.equal([]);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseExposition(text))));
  });
});
