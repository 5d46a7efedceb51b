import { expect } from 'chai';
import { describe, it } from 'mocha';
import { Metrics } from '../../src/admin/metrics.ts';

describe('Metrics', () => {
  it('writes the text format, label values escaped', () => {
    const metrics = new Metrics();
    const counter = metrics.counter('calls_total', 'Calls.');
    counter.add({ path: 'a"b\\c\nd' });
    counter.add({ path: 'a"b\\c\nd' }, 2);
    metrics.gauge('size', 'Size.').set(0.5);
    expect(metrics.text()).to.equal(
      '# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{path="a\\"b\\\\c\\nd"} 3\n# HELP size Size.\n# TYPE size gauge\nsize 0.5\n',
    );
  });

  it('holds a bounded number of label sets', () => {
    const metrics = new Metrics();
    const counter = metrics.counter('calls_total', 'Calls.');
    for (let i = 0; i < 5000; i++) counter.add({ i: String(i) });
    expect(metrics.text().split('\n').length).to.be.lessThan(1010);
  });
});
