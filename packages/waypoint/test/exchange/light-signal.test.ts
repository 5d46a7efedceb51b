import { expect } from 'chai';
import { describe, it } from 'mocha';
import { LightController } from '../../src/exchange/light-signal.ts';

describe('LightController', () => {
  const reason = new Error('enough');

  it('tells every listener once, in their order, and keeps the first reason', () => {
    const controller = new LightController();
    const told: string[] = [];
    controller.addEventListener('abort', () => told.push(`one, ${controller.aborted}`));
    controller.addEventListener('abort', () => told.push('two'));
    controller.abort(reason);
    controller.abort(new Error('again'));
    expect(told).to.deep.equal(['one, true', 'two']);
    expect(controller.reason).to.equal(reason);
  });

  it('tells nobody who has been removed, and does not mind being asked to remove a stranger', () => {
    const controller = new LightController();
    const told: string[] = [];
    const [one, two, three] = ['one', 'two', 'three'].map((name) => () => void told.push(name)) as [
      () => void,
      () => void,
      () => void,
    ];
    controller.addEventListener('abort', one);
    controller.removeEventListener('abort', two);
    controller.removeEventListener('abort', one);
    for (const listener of [one, two, three]) controller.addEventListener('abort', listener);
    controller.removeEventListener('abort', two);
    controller.abort(reason);
    expect(told).to.deep.equal(['one', 'three']);
  });

  it('has a real signal for who asks, before and after it aborts', () => {
    const early = new LightController();
    const { signal } = early;
    early.abort(reason);
    const late = new LightController();
    late.abort(reason);
    for (const real of [signal, late.signal]) expect(real).to.include({ aborted: true, reason });
    expect(new LightController().signal.aborted).to.equal(false);
  });
});
