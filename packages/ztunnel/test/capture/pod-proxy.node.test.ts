import { closeSync } from 'node:fs';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { listenSocket } from '@clearmesh/linux/listen-socket';
import type { ListenOptions, ListeningSocket } from '@clearmesh/linux/listen-socket';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { PodProxy } from '../../src/capture/pod-proxy.ts';
import type { PodNames, PodPath } from '../../src/capture/pod-proxy.ts';
import { readConfig } from '../../src/config.ts';
import type { CaptureConfig } from '../../src/config.ts';

const ports = [15_001, 15_006, 15_008] as const;
const { capture } = readConfig({ NODE_NAME: 'node-a' });

/** Counts paths that were made, and takes nothing. */
class IdlePath implements PodPath {
  recvOutbound(): void {}
  recvPlaintext(): void {}
  recvSocks(): void {}
  recvTunnel(): void {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

describe('the listeners of a pod', () => {
  let bed: NamespaceBed;
  let namespace: NetworkNamespace;
  let paths: number;
  let requests: ListenOptions[];

  const listen = (request: ListenOptions): ListeningSocket => {
    requests.push(request);
    return listenSocket(request);
  };

  beforeEach(() => {
    bed = new NamespaceBed();
    namespace = bed.add('pod');
    paths = 0;
    requests = [];
  });
  afterEach(() => bed[Symbol.dispose]());

  const open = (openNames?: () => PodNames, asked: Partial<CaptureConfig> = {}): PodProxy<IdlePath> => {
    const spec = { uid: 'uid', info: { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' }, namespace };
    const createPath = (): IdlePath => (paths++, new IdlePath());
    const names = openNames === undefined ? {} : { openNames };
    return new PodProxy(
      { spec, capture: { ...capture, ...asked } },
      { listen, createPath, ...names, clock: systemClock, logger: silentLogger },
    );
  };

  /** The ports that nobody listens on. */
  const free = (): readonly number[] =>
    ports.filter((port) => {
      try {
        closeSync(listenSocket({ namespace, ip: '::', port }).fd);
        return true;
      } catch {
        return false;
      }
    });

  for (const taken of ports) {
    it(`are open all or none: where ${taken} is taken, that is said, and no other stays open`, () => {
      const { fd } = listenSocket({ namespace, ip: '::', port: taken });
      try {
        expect(() => open())
          .to.throw(MeshError, String(taken))
          .that.satisfies((error: MeshError) => error.code === 'MESH-CAPTURE-001' && /EADDRINUSE/.test(error.message));
        expect([free(), paths]).to.deep.equal([ports.filter((port) => port !== taken), 0]);
      } finally {
        closeSync(fd);
      }
    });
  }

  it('are all open when nothing is in the way, and closed at the end', () => {
    const proxy = open();
    expect([free(), paths]).to.deep.equal([[], 1]);
    expect(proxy.listening).to.deep.equal({ ports, dns: false });
    proxy.destroy();
    expect(free()).to.deep.equal(ports);
    expect(proxy.listening.ports).to.deep.equal([]);
  });

  it('are none where its names alone are served, and its DNS proxy is open', () => {
    let isOpen = false;
    const names: PodNames = { yield: () => {}, finish: async () => {}, [Symbol.dispose]: () => void (isOpen = false) };
    const proxy = open(() => ((isOpen = true), names), { connections: false });
    expect([free(), isOpen]).to.deep.equal([ports, true]);
    proxy.destroy();
    expect(isOpen).to.equal(false);
  });

  it('give up silent peers as they are told to, but for tunnels, which have PINGs', () => {
    const keepAlive = { idleSeconds: 90, userTimeout: true };
    open(undefined, { keepAlive }).destroy();
    expect(requests.map((request) => request.keepAlive)).to.deep.equal([keepAlive, keepAlive, false]);
  });

  it('are all closed when its DNS proxy cannot be opened', () => {
    const openNames = (): never => {
      throw new MeshError('MESH-CAPTURE-001', { message: 'port 15053 is taken' });
    };
    expect(() => open(openNames)).to.throw(MeshError, '15053');
    expect([free(), paths]).to.deep.equal([ports, 0]);
  });

  it('yield, finish and end together with its DNS proxy', async () => {
    const events: string[] = [];
    const answered = Promise.withResolvers<void>();
    const names: PodNames = {
      yield: () => void events.push('yield'),
      finish: () => (events.push('finish'), answered.promise),
      [Symbol.dispose]: () => void events.push('end'),
    };
    const proxy = open(() => names);
    const drained = proxy.drain(1_000).then(({ cut }) => events.push(`drained, ${cut.length} cut`));
    expect(events).to.deep.equal(['yield']);
    answered.resolve();
    await drained;
    proxy.destroy();
    expect(events).to.deep.equal(['yield', 'finish', 'drained, 0 cut', 'end']);
  });
});
