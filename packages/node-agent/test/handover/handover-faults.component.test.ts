import { closeSync, openSync } from 'node:fs';
import { openDescriptors } from '@clearmesh/linux/testing/open-descriptors';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ACK, SILENCE, SNAPSHOT_SENT, nack } from './fake-proxy.ts';
import { HandoverBed, turn } from './handover-bed.ts';

describe('HandoverServer with a proxy that misbehaves', () => {
  let bed: HandoverBed;
  beforeEach(() => {
    bed = new HandoverBed();
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
  });

  describe('faults', () => {
    const faults: readonly { says: string; packet: string }[] = [
      { says: 'a hello of another version', packet: '0802' },
      { says: 'a hello of version 0', packet: '0800' },
      { says: 'rubbish instead of a hello', packet: 'ffffffffffff' },
      { says: 'a packet of 2000 bytes', packet: '08'.repeat(2000) },
    ];
    for (const { says, packet } of faults) {
      it(`ends a connection that begins with ${says}, and goes on with the next`, async () => {
        const server = bed.start();
        const proxy = await bed.dial(packet);
        expect(await proxy.next()).to.equal(undefined);
        await bed.connected(server);
      });
    }

    it('ends a connection that sends no hello within 5 s', async () => {
      bed.start();
      const silent = await bed.dial(SILENCE);
      while (bed.clock.nextTimerMs !== 5000) await turn();
      bed.clock.advance(4999);
      expect(bed.clock.pendingTimers).to.equal(1);
      bed.clock.advance(1);
      expect(await silent.next()).to.equal(undefined);
    });

    it('ends a connection that does not answer within 5 s', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const added = server.addPod(bed.pod('a'));
      await proxy.next();
      bed.clock.advance(5000);
      expect(await added).to.deep.equal({ kind: 'lost', reason: 'it did not answer add uid-a within 5000 ms' });
      expect(await proxy.next()).to.equal(undefined);
    });

    const rude: readonly { says: string; packet: string }[] = [
      { says: 'an answer without a question', packet: ACK },
      { says: 'a second hello', packet: '0801' },
    ];
    for (const { says, packet } of rude) {
      it(`ends a connection that sends ${says}`, async () => {
        const server = bed.start();
        const proxy = await bed.connected(server);
        proxy.send(packet);
        expect(await proxy.next()).to.equal(undefined);
      });
    }

    for (const { says, packet } of [
      { says: 'rubbish', packet: 'ff' },
      { says: 'an answer of another kind', packet: '1200' },
      { says: 'a truncated packet', packet: '0a'.repeat(1500) },
    ]) {
      it(`ends a connection that answers with ${says}`, async () => {
        const server = bed.start();
        const proxy = await bed.connected(server);
        const added = server.addPod(bed.pod('a'));
        await proxy.answer(packet);
        expect((await added).kind).to.equal('lost');
        expect(await proxy.next()).to.equal(undefined);
      });
    }

    it('ends a connection that passes a descriptor, and closes it', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const before = openDescriptors();
      const fd = openSync('/dev/null', 'r');
      proxy.send(ACK, fd);
      closeSync(fd);
      expect(await proxy.next()).to.equal(undefined);
      expect(openDescriptors()).to.equal(before - 1);
    });

    it('ends a connection that refuses the snapshot', async () => {
      bed.start();
      const proxy = await bed.dial();
      await proxy.answer(nack('already received'));
      expect(await proxy.next()).to.equal(undefined);
    });
  });

  describe('bounds', () => {
    it('rejects a pod whose Add would not fit a packet', async () => {
      const outcome = await bed.start().addPod({ ...bed.pod('a'), name: 'n'.repeat(1024) });
      expect(outcome).to.include({ kind: 'rejected' });
    });

    it('rejects more pods than it may hold, but not the same one again', async () => {
      const server = bed.start({ maxPods: 1 });
      await server.addPod(bed.pod('a'));
      expect((await server.addPod(bed.pod('a'))).kind).to.equal('no-proxy');
      expect((await server.addPod(bed.pod('b'))).kind).to.equal('rejected');
      await server.removePod('uid-a');
      expect((await server.addPod(bed.pod('b'))).kind).to.equal('no-proxy');
    });

    it('turns away more proxies than it may serve', async () => {
      const server = bed.start({ maxProxies: 1 });
      await bed.connected(server);
      const second = await bed.dial();
      expect(await second.next()).to.equal(undefined);
      expect(server.proxies).to.equal(1);
    });

    it('accepts five proxies in a second, the sixth later', async () => {
      bed.start();
      for (let i = 0; i < 5; i++) {
        const proxy = await bed.dial();
        expect(await proxy.next()).to.not.equal(undefined);
      }
      const sixth = await bed.dial();
      const answer = sixth.next();
      for (let i = 0; i < 5; i++) await turn();
      expect(await Promise.race([answer, turn()])).to.equal(undefined);
      bed.clock.advance(1000);
      expect((await answer)?.hex).to.equal(SNAPSHOT_SENT);
    });
  });

  it('refuses a proxyReady that is aborted', async () => {
    const server = bed.start();
    const reason = new Error('stop');
    expect(await server.proxyReady(AbortSignal.abort(reason)).catch((e: unknown) => e)).to.equal(reason);
    const controller = new AbortController();
    const ready = server.proxyReady(controller.signal).catch((e: unknown) => e);
    controller.abort(reason);
    expect(await ready).to.equal(reason);
  });

  it('lets go of everything on dispose: descriptors, timers, pending callers', async () => {
    const round = async (): Promise<void> => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const silent = await bed.dial(SILENCE);
      const added = server.addPod(bed.pod('a'));
      await proxy.next();
      await server[Symbol.asyncDispose]();
      expect(await added).to.deep.equal({ kind: 'lost', reason: 'the agent stops' });
      expect(await proxy.next()).to.equal(undefined);
      expect(await silent.next()).to.equal(undefined);
      expect((await server.addPod(bed.pod('b'))).kind).to.equal('no-proxy');
      await proxy[Symbol.asyncDispose]();
      await silent[Symbol.asyncDispose]();
    };
    await round();
    const before = openDescriptors();
    for (let i = 0; i < 5; i++) await round();
    expect(openDescriptors()).to.equal(before);
    expect(bed.clock.pendingTimers).to.equal(0);
  });
});
