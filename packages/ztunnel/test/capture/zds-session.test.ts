import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ZdsSession } from '../../src/capture/zds-session.ts';
import type { ZdsPacket } from '../../src/capture/zds-session.ts';

const info = { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' };
const add = (uid: string): ZdsPacket => ({ request: { kind: 'add', uid, info }, descriptors: 1, truncated: false });
const plain = (request: ZdsPacket['request']): ZdsPacket => ({ request, descriptors: 0, truncated: false });
const keep = (uid: string): ZdsPacket => plain({ kind: 'keep', uid });
const del = (uid: string): ZdsPacket => plain({ kind: 'del', uid });
const snapshotSent = plain({ kind: 'snapshotSent' });

describe('ZdsSession', () => {
  it('starts a pod for each add, before and after the snapshot', () => {
    const session = new ZdsSession();
    expect(session.recvPacket(add('a'))).to.deep.equal({ kind: 'start', uid: 'a', info });
    session.recvPacket(snapshotSent);
    expect(session.recvPacket(add('b'))).to.deep.equal({ kind: 'start', uid: 'b', info });
  });

  it('retains at the end of the snapshot what was added or kept, and not what was deleted since', () => {
    const session = new ZdsSession();
    for (const packet of [add('a'), keep('b'), keep('gone'), del('gone')]) session.recvPacket(packet);
    expect(session.recvPacket(snapshotSent)).to.deep.equal({ kind: 'retain', uids: new Set(['a', 'b']) });
    expect(session.steady).to.equal(true);
  });

  it('only forgets a pending pod on a del before the snapshot, and stops it on one after', () => {
    const session = new ZdsSession();
    expect(session.recvPacket(del('a'))).to.deep.equal({ kind: 'forget-pending', uid: 'a' });
    session.recvPacket(snapshotSent);
    expect(session.recvPacket(del('a'))).to.deep.equal({ kind: 'stop', uid: 'a' });
  });

  const unreadable: readonly [string, ZdsPacket][] = [
    ['a truncated packet', { ...add('a'), descriptors: 0, truncated: true }],
    ['an add without a descriptor', { ...add('a'), descriptors: 0 }],
    ['an add with two descriptors', { ...add('a'), descriptors: 2 }],
    ['a del with a descriptor', { ...del('a'), descriptors: 1 }],
    ['a keep with a descriptor', { ...keep('a'), descriptors: 1 }],
    ['rubbish', plain({ kind: 'invalid', cause: 'malformed', reason: 'not decodable' })],
  ];
  for (const [title, packet] of unreadable) {
    it(`reconnects on ${title}`, () => expect(new ZdsSession().recvPacket(packet)).to.include({ kind: 'reconnect' }));
  }

  it('counts a keep after the snapshot as a broken protocol', () => {
    const session = new ZdsSession();
    session.recvPacket(snapshotSent);
    expect(session.recvPacket(keep('a'))).to.include({ kind: 'fatal' });
  });

  it('counts a second snapshot as a broken protocol', () => {
    const session = new ZdsSession();
    session.recvPacket(snapshotSent);
    expect(session.recvPacket(snapshotSent)).to.include({ kind: 'fatal' });
  });

  it('counts an add without workload_info as a broken protocol', () => {
    const packet: ZdsPacket = {
      request: { kind: 'invalid', cause: 'protocol', reason: 'Add of a lacks workload_info' },
      descriptors: 1,
      truncated: false,
    };
    expect(new ZdsSession().recvPacket(packet)).to.include({ kind: 'fatal' });
  });
});
