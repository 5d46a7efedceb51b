import { expect } from 'chai';
import { describe, it } from 'mocha';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { KeyedResources } from '../../src/authorise/keyed-resources.ts';

class Resource implements AsyncDisposable {
  closed = 0;

  [Symbol.asyncDispose](): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

function setup(): { readonly clock: FakeClock; readonly resources: KeyedResources<Resource> } {
  const clock = new FakeClock();
  return { clock, resources: new KeyedResources<Resource>({ graceMs: 1_000 }, { clock }) };
}

describe('resources that outlive a configuration', () => {
  it('are opened once a key', () => {
    const { resources } = setup();
    expect(resources.take('a', () => new Resource())).to.equal(resources.take('a', () => new Resource()));
    expect(resources.size).to.equal(1);
  });

  it('are closed a while after the last configuration that names them', () => {
    const { clock, resources } = setup();
    const kept = resources.take('kept', () => new Resource());
    const left = resources.take('left', () => new Resource());
    resources.retain(new Set(['kept']));
    clock.advance(999);
    expect(left.closed).to.equal(0);
    clock.advance(1);
    expect([kept.closed, left.closed]).to.deep.equal([0, 1]);
    expect(resources.take('left', () => new Resource())).not.to.equal(left);
  });

  it('are all closed once at the end, those that wait included', async () => {
    const { clock, resources } = setup();
    const opened = ['a', 'b'].map((key) => resources.take(key, () => new Resource()));
    resources.retain(new Set(['a']));
    await resources[Symbol.asyncDispose]();
    clock.advance(5_000);
    expect(opened.map(({ closed }) => closed)).to.deep.equal([1, 1]);
    expect(clock.pendingTimers).to.equal(0);
  });
});
