import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { CniError } from '../../src/plugin/cni-error.ts';
import { readPodCall } from '../../src/serve/read-pod-call.ts';

const call = { containerId: 'c1', netns: '/n', podNamespace: 'bank', podName: 'ledger', podUid: '', ips: ['10.0.0.1'], pid: 7 };

describe('readPodCall', () => {
  it('reads what the plugin writes, and passes over what a later one may add', () => {
    const text = fc.string();
    const calls = fc.record({
      containerId: text,
      netns: text,
      podNamespace: text,
      podName: text,
      podUid: text,
      ips: fc.array(text),
      pid: fc.integer({ min: 1 }),
    });
    fc.assert(
      fc.property(calls, (any) => {
        expect(readPodCall(JSON.stringify({ ...any, later: true }))).to.deep.equal(any);
      }),
    );
  });

  for (const [field, value] of Object.entries({
    containerId: 1,
    netns: null,
    podName: [],
    podUid: {},
    ips: ['a', 1],
    pid: 0.5,
  })) {
    it(`names ${field} when that is not usable`, () => {
      expect(() => readPodCall(JSON.stringify({ ...call, [field]: value })))
        .to.throw(CniError, field)
        .with.property('code', 6);
    });
  }

  it('refuses everything else, and nothing but that way', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => readPodCall(text)).to.throw(CniError);
      }),
    );
  });
});
