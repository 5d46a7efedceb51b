import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { NetworkNamespace } from '@clearmesh/linux/netns';
import { connectSeqpacket, listenSeqpacket } from '@clearmesh/linux/seqpacket';
import type { SeqpacketConnection, SeqpacketListener } from '@clearmesh/linux/seqpacket';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { decodeAck, decodeHello, encodeZdsRequest } from '@clearmesh/shared/wire/zds';
import type { ZdsRequest } from '@clearmesh/shared/wire/zds';
import { Pods } from '../../src/capture/pods.ts';
import { ZdsClient } from '../../src/capture/zds-client.ts';
import { bounded } from '../path/applications.ts';
import { FakePod } from './fake-namespace.ts';

const info = { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' };

describe('ZdsClient on a real socket', () => {
  let stop: AbortController;
  const timeout = (): AbortSignal => AbortSignal.timeout(5_000);
  let directory: string;
  let listener: SeqpacketListener;
  let agent: SeqpacketConnection;
  let inodes: bigint[];
  let done: Promise<void>;

  const ask = async (request: ZdsRequest, fd?: number): Promise<string> => {
    agent.send(encodeZdsRequest(request), fd);
    const packet = await agent.receive(timeout());
    const ack = decodeAck(packet!.bytes);
    return ack.kind === 'ack' ? ack.error : ack.reason;
  };

  beforeEach(async () => {
    stop = new AbortController();
    directory = mkdtempSync(join(tmpdir(), 'zds-'));
    const path = join(directory, 'ztunnel.sock');
    listener = listenSeqpacket(path);
    inodes = [];
    const start = ({ namespace }: { readonly namespace: NetworkNamespace }): FakePod => {
      inodes.push(namespace.inode);
      return new FakePod();
    };
    const pods = new Pods<NetworkNamespace, FakePod>({}, { start, clock: systemClock, logger: silentLogger, onChange: () => {} });
    const client = new ZdsClient<NetworkNamespace>({
      dial: (signal) => connectSeqpacket(path, signal),
      pods,
      adoptNamespace: (fd) => NetworkNamespace.fromFd(fd),
      closeDescriptor: closeSync,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      onState: () => {},
      onFatal: () => {},
    });
    done = client.run(stop.signal);
    agent = (await listener.accept(timeout()))!;
  });

  afterEach(async () => {
    stop.abort();
    await bounded(done, 'the end of the client');
    await agent[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  it('says hello, takes over a namespace by its descriptor, and refuses one that is none', async () => {
    expect(decodeHello((await agent.receive(timeout()))!.bytes)).to.deep.equal({ kind: 'hello' });
    using own = NetworkNamespace.current();
    expect(await ask({ kind: 'add', uid: 'a', info }, own.fd)).to.equal('');
    expect(inodes).to.deep.equal([own.inode]);
    expect(await ask({ kind: 'add', uid: 'b', info }, agent.fd)).to.match(/failure to start proxy/);
    expect(await ask({ kind: 'snapshotSent' })).to.equal('');
  });
});
