import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CaptureBed, nodePod } from './capture-bed.ts';

const joined = ['proxy: acked', 'rules: out', 'probes: 10.0.0.1', 'annotation: enabled'];
const captured = ['rules: all, closed meanwhile', 'proxy: acked', 'probes: 10.0.0.1', 'annotation: enabled'];
const marked = { annotations: { 'ambient.istio.io/redirection': 'enabled' } };

describe('Captures', () => {
  let bed: CaptureBed;
  beforeEach(() => {
    bed = new CaptureBed();
  });
  afterEach(async () => {
    await bed[Symbol.asyncDispose]();
    expect(bed.leaks, 'namespaces left open').to.equal(0);
    expect(bed.clock.pendingTimers).to.equal(0);
  });

  const kinds = (): object => bed.captures.counts;

  describe('of a running pod that is labelled', () => {
    it('begin with the proxy, and redirect what it is sent when others have had a second to learn of it', async () => {
      bed.captures.enrol(nodePod(), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(joined);
      await bed.pass(999);
      expect([bed.news(), kinds()]).to.deep.equal([[], { enrolled: 1, captured: 0, pending: 0 }]);
      await bed.pass(1);
      expect(bed.news()).to.deep.equal(['rules: all', 'annotation: enabled']);
      expect([bed.events, kinds()]).to.deep.equal([['captured'], { enrolled: 1, captured: 1, pending: 0 }]);
    });

    it('do nothing to it while no proxy takes it, and go on when one does', async () => {
      bed.outcome = { kind: 'no-proxy' };
      bed.captures.enrol(nodePod(), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(['proxy: no-proxy']);
      expect([bed.captures.allTried, bed.captures.undelivered]).to.deep.equal([true, ['uid-a']]);
      bed.outcome = { kind: 'acked' };
      bed.captures.rouse('uid-a');
      await bed.settle();
      expect(bed.news()).to.deep.equal(joined);
    });

    it('leave what it is sent alone where an annotation says so', async () => {
      bed.captures.enrol(nodePod(), { inboundCapture: false });
      await bed.settle();
      await bed.pass(1_000);
      expect(bed.news()).to.deep.equal([...joined, 'annotation: enabled']);
      expect(bed.captures.isCaptured('uid-a')).to.equal(true);
    });

    it('turn back when the label goes before they are done', async () => {
      bed.captures.enrol(nodePod(), {});
      await bed.settle();
      bed.news();
      bed.captures.release(nodePod(marked));
      await bed.settle();
      expect(bed.news()).to.deep.equal(['rules: out', 'annotation: pending']);
      await bed.pass(1_000);
      expect(bed.news()).to.deep.equal(['rules: let go', 'probes: none', 'proxy: del', 'annotation: none', 'rules: none']);
    });
  });

  describe('of a pod that was in the mesh', () => {
    it('close it at once: by its annotation', async () => {
      bed.captures.enrol(nodePod(marked), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(captured);
      expect(bed.events).to.deep.equal(['repaired', 'captured']);
    });

    it('close it at once: by rules in it that are not all', async () => {
      bed.rules = 'out';
      bed.captures.enrol(nodePod(), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(captured);
    });

    it('replace rules of another version while it is in the mesh, and say nothing else meanwhile', async () => {
      bed.rules = 'old';
      bed.captures.enrol(nodePod(marked), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(captured);
      expect(bed.events).to.deep.equal(['updated', 'captured']);
    });

    it('leave its annotation as it is for as long as the proxy that served it does not call', async () => {
      bed.rules = 'all';
      bed.outcome = { kind: 'no-proxy' };
      bed.captures.enrol(nodePod(marked), {});
      await bed.settle();
      for (let seconds = 0; seconds < 120; seconds++) await bed.pass(1_000);
      expect(bed.news().filter((what) => what !== 'proxy: no-proxy')).to.deep.equal([]);
      expect(kinds()).to.deep.equal({ enrolled: 1, captured: 0, pending: 1 });
    });

    it('leave rules alone that are as they have to be', async () => {
      bed.rules = 'all';
      bed.captures.enrol(nodePod(), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(captured.slice(1));
    });

    it('keep it closed while no proxy takes it, and never tell others to send it plaintext', async () => {
      bed.outcome = { kind: 'refused', reason: 'no port left' };
      bed.captures.enrol(nodePod(marked), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(['rules: all, closed meanwhile', 'proxy: refused']);
      expect(kinds()).to.deep.equal({ enrolled: 1, captured: 0, pending: 1 });
    });

    it('say pending while no proxy takes one that was not all the way in', async () => {
      bed.rules = 'out';
      bed.outcome = { kind: 'refused', reason: 'no port left' };
      bed.captures.enrol(nodePod(), {});
      await bed.settle();
      expect(bed.news()).to.deep.equal(['rules: all, closed meanwhile', 'proxy: refused', 'annotation: pending']);
      expect(kinds()).to.deep.equal({ enrolled: 1, captured: 0, pending: 1 });
    });
  });

  describe('of a pod that starts', () => {
    const admit = (): Promise<void> => bed.captures.admit(nodePod(), {}, { netns: bed.netns(), containerId: 'c1' });

    it('are done when the proxy has it', async () => {
      await admit();
      expect(bed.news()).to.deep.equal(captured);
    });

    it('are no repair where an earlier sandbox of the pod was in the mesh, as after a restart of the node', async () => {
      await bed.captures.admit(nodePod(marked), {}, { netns: bed.netns(), containerId: 'c1' });
      expect(bed.events).to.deep.equal(['captured']);
    });

    it('reject with the first failure and let go of the sandbox', async () => {
      bed.broken = 'nft is missing';
      expect(await admit().catch((error: Error) => error.message)).to.include('nft is missing');
      await bed.settle();
      expect(bed.news()).to.deep.equal(['probes: none', 'proxy: del', 'annotation: none']);
      expect(kinds()).to.deep.equal({ enrolled: 0, captured: 0, pending: 0 });
    });

    it('take over from a capture of an earlier sandbox, whose end is nobody’s by then', async () => {
      await admit();
      const second = bed.captures.admit(nodePod(), {}, { netns: bed.netns(), containerId: 'c2' });
      bed.captures.sandboxGone('uid-a', { containerId: 'c1', netns: undefined });
      await second;
      expect(bed.captures.isCaptured('uid-a')).to.equal(true);
      bed.captures.sandboxGone('uid-a', { containerId: 'c2', netns: undefined });
      await bed.settle();
      expect(kinds()).to.deep.equal({ enrolled: 0, captured: 0, pending: 0 });
    });
  });

  describe('that are given up', () => {
    beforeEach(async () => {
      await bed.captures.admit(nodePod(), {}, { netns: bed.netns(), containerId: 'c1' });
      bed.news();
    });

    it('let others learn of it before the proxy lets go, and keep the rules while connections go through it', async () => {
      bed.open = { ...bed.open, proxied: 2 };
      bed.captures.release(nodePod(marked));
      await bed.settle();
      expect(bed.news()).to.deep.equal(['rules: out', 'annotation: pending']);
      await bed.pass(1_000);
      expect(bed.news()).to.deep.equal(['rules: let go', 'probes: none', 'proxy: del', 'annotation: none']);
      await bed.pass(5_000);
      expect(bed.news()).to.deep.equal([]);
      bed.open = { ...bed.open, proxied: 0 };
      await bed.pass(1_000);
      expect(bed.news()).to.deep.equal(['rules: none']);
      expect(bed.events).to.deep.equal(['captured', 'released']);
    });

    it('keep the rules eleven minutes and no longer', async () => {
      bed.open = { ...bed.open, proxied: 1 };
      bed.captures.release(nodePod(marked));
      await bed.settle();
      for (let seconds = 0; seconds < 660; seconds++) await bed.pass(1_000);
      expect(bed.rules).to.equal('let go');
      await bed.pass(1_000);
      expect(bed.rules).to.equal('none');
    });

    for (const [moment, ms] of [
      ['others learn of it', 0],
      ['its last connections end', 1_000],
    ] as const) {
      it(`join again, in full, when the label comes back while ${moment}`, async () => {
        bed.open = { ...bed.open, proxied: 1 };
        bed.captures.release(nodePod(marked));
        await bed.settle();
        await bed.pass(ms);
        bed.news();
        bed.captures.enrol(nodePod(), {});
        await bed.settle();
        expect(bed.news()).to.deep.equal(joined);
        await bed.pass(1_000);
        expect(bed.rules).to.equal('all');
      });
    }

    it('are over at once for a pod that is no more', async () => {
      bed.captures.release(nodePod(marked));
      await bed.settle();
      bed.captures.recvDeleted(nodePod(marked));
      await bed.settle();
      expect(bed.news().slice(-2)).to.deep.equal(['probes: none', 'proxy: del']);
    });

    it('are tried again where they fail', async () => {
      bed.broken = 'busy';
      bed.captures.release(nodePod(marked));
      await bed.settle();
      expect([bed.news(), bed.events]).to.deep.equal([[], ['captured', 'failed']]);
      bed.broken = undefined;
      await bed.pass(50);
      expect(bed.news()).to.deep.equal(['rules: out', 'annotation: pending']);
    });
  });

  it('tell which pods are not found, and try again', async () => {
    bed.isFindable = false;
    bed.captures.enrol(nodePod(), {});
    await bed.settle();
    expect([bed.captures.undelivered, bed.captures.allTried]).to.deep.equal([['uid-a'], true]);
    bed.isFindable = true;
    await bed.pass(50);
    expect(bed.news()).to.deep.equal(joined);
  });

  it('tell which pods an earlier agent has captured and whose rules fail now: their proxy must go on', async () => {
    bed.broken = 'busy';
    bed.captures.enrol(nodePod(marked), {});
    await bed.settle();
    expect([bed.captures.undelivered, bed.captures.allTried]).to.deep.equal([['uid-a'], false]);
    bed.broken = undefined;
    await bed.pass(50);
    expect([bed.captures.undelivered, bed.captures.allTried]).to.deep.equal([[], true]);
  });

  it('keep nobody waiting for a pod whose rules go on failing', async () => {
    bed.broken = 'busy';
    bed.captures.enrol(nodePod(marked), {});
    await bed.settle();
    for (const pauseMs of [50, 100, 200, 400, 800]) await bed.pass(pauseMs);
    expect(bed.captures.allTried).to.equal(false);
    await bed.pass(1_600);
    expect([bed.captures.undelivered, bed.captures.allTried]).to.deep.equal([['uid-a'], true]);
  });

  it('put back rules that went missing', async () => {
    await bed.captures.admit(nodePod(), {}, { netns: bed.netns(), containerId: 'c1' });
    bed.news();
    await bed.captures.verify(new AbortController().signal);
    expect(bed.news()).to.deep.equal([]);
    bed.rules = 'none';
    await bed.captures.verify(new AbortController().signal);
    await bed.settle();
    expect(bed.news()).to.include('rules: all, closed meanwhile');
    expect(bed.events).to.deep.equal(['captured', 'repaired', 'captured']);
  });

  it('replace changed rules, and follow a changed annotation, without a word that the pod is out', async () => {
    await bed.captures.admit(nodePod(marked), {}, { netns: bed.netns(), containerId: 'c1' });
    bed.news();
    bed.rules = 'old';
    await bed.captures.verify(new AbortController().signal);
    await bed.settle();
    expect(bed.news()).to.deep.equal(captured);
    bed.captures.enrol(nodePod(marked), { inboundCapture: false });
    await bed.settle();
    expect(bed.news()).to.deep.equal(['rules: out, closed meanwhile', 'annotation: enabled']);
    expect(bed.events.slice(-2)).to.deep.equal(['updated', 'captured']);
  });

  it('hold on to nothing, however many pods come and go', async () => {
    for (let round = 0; round < 50; round++) {
      const pod = nodePod({ uid: `uid-${round}`, name: `p${round}` });
      if (round % 2 === 0) bed.captures.enrol(pod, {});
      else await bed.captures.admit(pod, {}, { netns: bed.netns(), containerId: 'c1' });
      bed.rules = 'none';
      await bed.settle();
      if (round % 3 === 0) bed.captures.release(pod);
      else bed.captures.recvDeleted(pod);
      await bed.settle();
      await bed.pass(2_000);
    }
    expect([bed.leaks, bed.clock.pendingTimers, kinds()]).to.deep.equal([0, 0, { enrolled: 0, captured: 0, pending: 0 }]);
  });
});
