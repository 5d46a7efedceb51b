import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ACK, SILENCE, SNAPSHOT_SENT, nack } from './fake-proxy.ts';
import { HandoverBed, soon, turn, uidOf } from './handover-bed.ts';

// The recorded vectors: pod `client` of namespace `bank`, account `client-sa`.
const ADD_CLIENT = '0a270a0a7569642d636c69656e7412190a06636c69656e74120462616e6b1a09636c69656e742d7361';
const DEL_CLIENT = '120c120a7569642d636c69656e74';

describe('HandoverServer', () => {
  let bed: HandoverBed;
  beforeEach(() => {
    bed = new HandoverBed();
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
  });

  describe('snapshot', () => {
    it('is SnapshotSent alone on a node without pods', async () => {
      const server = bed.start();
      const proxy = await bed.dial();
      expect(await proxy.takeSnapshot()).to.deep.equal([SNAPSHOT_SENT]);
      await server.proxyReady(soon());
    });

    it('begins only after the hello', async () => {
      bed.start();
      const silent = await bed.dial(SILENCE);
      await turn();
      silent.send('0801');
      expect(await silent.answer()).to.equal(SNAPSHOT_SENT);
    });

    it('has the recorded bytes and the namespace’s descriptor for each pod', async () => {
      const server = bed.start();
      expect(await server.addPod(bed.pod('client'))).to.deep.equal({ kind: 'no-proxy' });
      const proxy = await bed.dial();
      expect(await proxy.next()).to.deep.equal({ hex: ADD_CLIENT, inodes: [bed.own.inode] });
      proxy.send(ACK);
      expect(await proxy.next()).to.deep.equal({ hex: SNAPSHOT_SENT, inodes: [] });
    });

    it('has one request outstanding at a time', async () => {
      const server = bed.start();
      for (const name of ['a', 'b']) await server.addPod(bed.pod(name));
      const proxy = await bed.dial();
      expect(uidOf((await proxy.next())!.hex)).to.equal('uid-a');
      const second = proxy.next();
      await turn();
      await turn();
      expect(await Promise.race([second, turn()])).to.equal(undefined);
      proxy.send(ACK);
      expect(uidOf((await second)!.hex)).to.equal('uid-b');
    });

    it('waits until the pods of the node are known, and has them all then', async () => {
      const server = bed.start({}, 'hold');
      const proxy = await bed.dial();
      while (server.proxies === 0) await turn();
      expect(await server.addPod(bed.pod('a'))).to.deep.equal({ kind: 'no-proxy' });
      await server.addPod(bed.pod('b'));
      await server.removePod('uid-b');
      const first = proxy.next();
      expect(await Promise.race([first, turn()])).to.equal(undefined);
      server.open();
      server.open();
      expect(uidOf((await first)!.hex)).to.equal('uid-a');
      proxy.send(ACK);
      expect(await proxy.answer()).to.equal(SNAPSHOT_SENT);
      await server.proxyReady(soon());
      const added = server.addPod(bed.pod('c'));
      expect(uidOf(await proxy.answer())).to.equal('uid-c');
      expect(await added).to.deep.equal({ kind: 'acked' });
    });

    it('goes on after a NACK, which is reported', async () => {
      const server = bed.start();
      for (const name of ['a', 'b']) await server.addPod(bed.pod(name));
      const proxy = await bed.dial();
      await proxy.answer(nack('cannot bind 15001'));
      expect(uidOf(await proxy.answer())).to.equal('uid-b');
      expect(await proxy.answer()).to.equal(SNAPSHOT_SENT);
      await server.proxyReady(soon());
      expect(bed.outcomes).to.deep.equal(['uid-a refused', 'uid-b acked']);
    });

    it('comes anew, with the same pods, to a proxy that dials again', async () => {
      const server = bed.start();
      await server.addPod(bed.pod('a'));
      const first = await bed.connected(server);
      await first[Symbol.asyncDispose]();
      const second = await bed.dial();
      expect((await second.takeSnapshot()).map(uidOf)).to.deep.equal(['uid-a', SNAPSHOT_SENT]);
    });

    it('leaves out a pod that was removed before its turn', async () => {
      const server = bed.start();
      for (const name of ['a', 'b']) await server.addPod(bed.pod(name));
      const proxy = await bed.dial();
      await proxy.next();
      const removed = server.removePod('uid-b');
      proxy.send(ACK);
      expect(await proxy.answer()).to.equal(SNAPSHOT_SENT);
      expect(uidOf(await proxy.answer())).to.equal('uid-b');
      await removed;
      expect(bed.outcomes).to.deep.equal(['uid-b withdrawn', 'uid-a acked']);
    });
  });

  describe('changes', () => {
    it('are acknowledged to the caller', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const added = server.addPod(bed.pod('client'));
      expect(await proxy.answer()).to.equal(ADD_CLIENT);
      expect(await added).to.deep.equal({ kind: 'acked' });
      const removed = server.removePod('uid-client');
      expect(await proxy.answer()).to.equal(DEL_CLIENT);
      await removed;
    });

    it('are refused to the caller with the proxy’s words', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const added = server.addPod(bed.pod('a'));
      await proxy.answer(nack('address in use'));
      expect(await added).to.deep.equal({ kind: 'refused', reason: 'address in use' });
      expect(server.proxies, 'a NACK keeps the connection').to.equal(1);
    });

    it('come in order, an Add of a removed pod never', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const outcomesOfAdds = ['a', 'b', 'c'].map((name) => server.addPod(bed.pod(name)));
      const removed = server.removePod('uid-b');
      const seen = [await proxy.answer(), await proxy.answer(), await proxy.answer()];
      await removed;
      expect(seen.map((hex) => `${hex.slice(0, 2)} ${uidOf(hex)}`)).to.deep.equal(['0a uid-a', '0a uid-c', '12 uid-b']);
      expect((await Promise.all(outcomesOfAdds)).map(({ kind }) => kind)).to.deep.equal(['acked', 'withdrawn', 'acked']);
    });

    it('may repeat a pod, which is acknowledged again', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const added = [server.addPod(bed.pod('a')), server.addPod(bed.pod('a'))];
      expect([await proxy.answer(), await proxy.answer()].map(uidOf)).to.deep.equal(['uid-a', 'uid-a']);
      expect((await Promise.all(added)).map(({ kind }) => kind)).to.deep.equal(['acked', 'acked']);
    });

    it('are lost to the caller when the proxy leaves before its answer', async () => {
      const server = bed.start();
      const proxy = await bed.connected(server);
      const added = server.addPod(bed.pod('a'));
      await proxy.next();
      await proxy[Symbol.asyncDispose]();
      expect(await added).to.deep.equal({ kind: 'lost', reason: 'the proxy closed it' });
      expect(await server.addPod(bed.pod('b'))).to.deep.equal({ kind: 'no-proxy' });
    });
  });

  describe('upgrade, with two proxies connected', () => {
    it('sends Adds to the newest, Dels to all', async () => {
      const server = bed.start();
      await server.addPod(bed.pod('a'));
      const old = await bed.connected(server);
      const young = await bed.connected(server);
      const added = server.addPod(bed.pod('b'));
      expect(uidOf(await young.answer())).to.equal('uid-b');
      await added;
      const removed = server.removePod('uid-a');
      expect(uidOf(await old.answer())).to.equal('uid-a');
      expect(uidOf(await young.answer())).to.equal('uid-a');
      await removed;
    });

    it('gives the old one what it missed when the new one leaves', async () => {
      const server = bed.start();
      const old = await bed.connected(server);
      const young = await bed.connected(server);
      const added = server.addPod(bed.pod('b'));
      await young.answer();
      await added;
      await young[Symbol.asyncDispose]();
      expect(uidOf(await old.answer())).to.equal('uid-b');
      await server.proxyReady(soon());
    });

    it('goes on with the new one when the old one leaves', async () => {
      const server = bed.start();
      const old = await bed.connected(server);
      const young = await bed.connected(server);
      await old[Symbol.asyncDispose]();
      while (server.proxies > 1) await turn();
      const added = server.addPod(bed.pod('b'));
      await young.answer();
      expect((await added).kind).to.equal('acked');
    });

    it('counts a newcomer only once it said hello', async () => {
      const server = bed.start();
      const old = await bed.connected(server);
      await bed.dial(SILENCE);
      await turn();
      const added = server.addPod(bed.pod('b'));
      expect(uidOf(await old.answer())).to.equal('uid-b');
      await added;
    });
  });
});
