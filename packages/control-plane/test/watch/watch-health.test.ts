import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { WatchHealth } from '../../src/watch/watch-health.ts';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';
import type { WatchState } from '../../src/kubernetes/informer.ts';

class Told implements Disposable {
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly health: WatchHealth;

  constructor() {
    const write = (message: string, { kind, kinds, since }: LogFields = {}): void =>
      void this.lines.push([message.slice(0, 30), kind ?? kinds, since].filter((part) => part !== undefined).join(' | '));
    const logger: Logger = { ...silentLogger, info: write, warn: write };
    this.health = new WatchHealth({ clock: this.clock, logger });
  }

  recv(kind: string, state: WatchState): void {
    this.health.recvState(kind, state);
  }

  failing(kind: string): void {
    this.recv(kind, { kind: 'failing', sinceMs: this.clock.now(), message: 'refused' });
  }

  [Symbol.dispose](): void {
    this.health[Symbol.dispose]();
  }
}

describe('WatchHealth', () => {
  it('says nothing of a failure that is over within two seconds', () => {
    using told = new Told();
    told.failing('Pod');
    told.clock.advance(1999);
    told.recv('Pod', { kind: 'synced' });
    told.clock.advance(60_000);
    expect(told.lines).to.deep.equal([]);
    expect(told.clock.pendingTimers).to.equal(0);
  });

  it('says since when nothing is watched, again each minute, and once that it is over', () => {
    using told = new Told();
    told.failing('Pod');
    told.clock.advance(1000);
    told.failing('Service');
    told.clock.advance(61_000);
    told.recv('Pod', { kind: 'synced' });
    told.recv('Service', { kind: 'synced' });
    expect(told.lines).to.deep.equal([
      'the API server cannot be watch | Pod, Service | 2026-01-01T00:00:00.000Z',
      'the API server cannot be watch | Pod, Service | 2026-01-01T00:00:00.000Z',
      'the API server is watched agai',
    ]);
    expect(told.clock.pendingTimers).to.equal(0);
  });

  it('names once what is missing, through failures, until it is there', () => {
    using told = new Told();
    const absent = { kind: 'absent', sinceMs: 0 } as const;
    told.recv('OpaPolicy', absent);
    told.failing('OpaPolicy');
    told.recv('OpaPolicy', absent);
    told.recv('OpaPolicy', { kind: 'forbidden', sinceMs: 0, message: 'no' });
    told.recv('OpaPolicy', { kind: 'synced' });
    told.recv('OpaPolicy', { kind: 'synced' });
    expect(told.lines).to.deep.equal([
      'the cluster has no such resour | OpaPolicy',
      'a resource may not be read; it | OpaPolicy',
      'the resource is read now | OpaPolicy',
    ]);
  });
});
