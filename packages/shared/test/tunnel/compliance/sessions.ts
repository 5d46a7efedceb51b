import { expect } from 'chai';
import { describe, it } from 'mocha';
import { bounded, event, until } from '../bounded.ts';
import { never, openRig, readAll, request } from './rig.ts';
import type { CreateEngine } from './rig.ts';

/** How connections live and end, client against server. */
export function describeSessions(create: CreateEngine): void {
  describe('sessions', () => {
    it('learns how many streams the server takes', async () => {
      await using rig = await openRig(create);
      await until(() => rig.client.peerMaxStreams === 200, 'SETTINGS');
    });

    it('lets streams finish when the server drains, and takes no new one', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      rig.server.drain();
      await bounded(rig.client.peerDraining, 'GOAWAY');
      expect(rig.client.usable).to.equal(false);
      expect(await rig.client.open(request, never)).to.include({ kind: 'failed', unprocessed: true });
      near.end('still');
      expect(String(await readAll(far))).to.equal('still');
      far.end('here');
      expect(String(await readAll(near))).to.equal('here');
      expect((await bounded(rig.server.closed, 'server closed')).reason).to.equal('closed');
      expect((await bounded(rig.client.closed, 'client closed')).reason).to.equal('peer-goaway');
    });

    it('says of a request that crossed the GOAWAY that it was not processed', async () => {
      await using rig = await openRig(create);
      const first = await rig.stream();
      rig.server.drain();
      const crossing = rig.client.open(request, never);
      expect(await bounded(crossing, 'response')).to.include({ kind: 'failed', unprocessed: true });
      first.near.end();
      first.far.end();
      await Promise.all([readAll(first.near), readAll(first.far)]);
      await bounded(rig.client.closed, 'client closed');
    });

    it('closes an idle connection as soon as it is drained', async () => {
      for (const side of ['client', 'server'] as const) {
        await using rig = await openRig(create);
        await until(() => rig.client.peerMaxStreams === 200, 'SETTINGS');
        rig[side].drain();
        const ends = await bounded(Promise.all([rig.client.closed, rig.server.closed]), 'closed');
        expect(ends.map(({ reason }) => reason).toSorted()).to.deep.equal(['closed', 'peer-goaway']);
      }
    });

    it('lets streams finish when the client drains', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      rig.client.drain();
      expect(rig.client.usable).to.equal(false);
      far.pipe(far);
      near.end('echo');
      expect(String(await readAll(near))).to.equal('echo');
      expect((await bounded(rig.client.closed, 'client closed')).reason).to.equal('closed');
    });

    it('ends streams at once when the server is destroyed', async () => {
      await using rig = await openRig(create);
      const { near, far } = await rig.stream();
      near.resume();
      const [there, here] = [event(near, 'close'), event(far, 'error')];
      rig.server.destroy();
      expect(await here).to.be.instanceOf(Error);
      await there;
      expect((await bounded(rig.server.closed, 'server closed')).reason).to.equal('closed');
      expect((await bounded(rig.client.closed, 'client closed')).reason).to.equal('peer-goaway');
    });

    it('stays open for hours of pings that are answered', async () => {
      await using rig = await openRig(create);
      await until(() => rig.client.peerMaxStreams === 200, 'SETTINGS');
      await rig.stream();
      for (let i = 0; i < 20; i++) {
        rig.clock.advance(10_000);
        // The answers come in real time; each sets the timer of the next ping 10 s from then. Both must be there: a timer of an
        // open ping, 20 s from then, would lapse two rounds on.
        await until(() => rig.clock.pendingTimers === 2 && rig.clock.lastTimerMs === 10_000, `pongs of round ${i}`);
      }
      expect(rig.client.usable).to.equal(true);
    });

    it('pings while it drains', async () => {
      await using rig = await openRig(create);
      await rig.stream();
      await until(() => rig.client.peerMaxStreams === 200, 'SETTINGS');
      rig.server.drain();
      await until(() => !rig.client.usable, 'GOAWAY');
      rig.clock.advance(10_000);
      await until(() => rig.clock.pendingTimers === 2 && rig.clock.lastTimerMs === 10_000, 'pongs');
    });

    it('leaves no timer and no socket behind', async () => {
      const rig = await openRig(create);
      await rig.stream();
      await rig.stream();
      await rig[Symbol.asyncDispose]();
      expect(rig.clock.pendingTimers).to.equal(0);
      expect([rig.transports.client.destroyed, rig.transports.server.destroyed]).to.deep.equal([true, true]);
      expect([rig.client.activeStreams, rig.server.activeStreams]).to.deep.equal([0, 0]);
    });

    it('rejects a transport that is gone', async () => {
      await using rig = await openRig(create);
      rig.transports.client.destroy();
      await bounded(rig.client.closed, 'closed');
      const { clientSettings } = await import('../../../src/tunnel/engine-settings.ts');
      const error = await create({ clock: rig.clock })
        .connect(rig.transports.client, clientSettings)
        .catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(Error);
    });
  });
}
