import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ztunnelOption } from '../../src/arguments/ztunnel-option.ts';

describe('the programs of node proxies', () => {
  it('are one for every node, or one for a node by its name', () => {
    expect(ztunnelOption('/usr/bin/other')).to.deep.equal({ '': '/usr/bin/other' });
    expect(ztunnelOption('node-b=/usr/bin/other')).to.deep.equal({ 'node-b': '/usr/bin/other' });
  });

  it('add up, and the last word about a node counts', () => {
    const first = ztunnelOption('/a', ztunnelOption('node-a=/b'));
    expect(ztunnelOption('node-a=/c=d', first)).to.deep.equal({ '': '/a', 'node-a': '/c=d' });
  });

  for (const text of ['', 'other', 'node-b=', 'node-b=other', 'Node=/a', '=/a']) {
    it(`may not be "${text}"`, () => {
      expect(() => ztunnelOption(text)).to.throw('the absolute path of a program');
    });
  }
});
