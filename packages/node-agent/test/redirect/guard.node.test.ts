/**
 * What connection tracking remembers of the time before a capture must not let a new connection past it (guard-rules.ts).
 * The memory is made as it comes about for real: a tracked connection whose end the tracking never saw.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import { NamespaceBed } from '@clearmesh/linux/testing/namespace-bed';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runInNamespace } from '../../src/redirect/namespace-command.ts';
import { Redirector } from '../../src/redirect/redirector.ts';

const port = 9000;
const clientPort = 40_000;
const soon = (): AbortSignal => AbortSignal.timeout(5000);

/** Tracking on, and the ends of connections lost before tracking sees them (priority -400 is before it). */
const tracking = `table inet before {
  chain tracked { type filter hook output priority 0; ct state established accept; }
  chain lost { type filter hook output priority -400; tcp flags & (fin | rst) != 0 drop; }
  chain lost-in { type filter hook prerouting priority -400; tcp flags & (fin | rst) != 0 drop; }
}`;

/** Greets and echoes; on request it resets what it has open, and tells how many connections it has accepted. */
const server = `
  let accepted = 0;
  const open = new Set();
  const tell = () => console.log('accepted ' + accepted);
  const greet = (socket) => { accepted++; open.add(socket); socket.on('error', () => {}).write('hello'); socket.pipe(socket); };
  require('node:net').createServer(greet).listen(${port}, '0.0.0.0', tell);
  process.stdin.on('data', () => { for (const socket of open) socket.resetAndDestroy(); setImmediate(tell); });`;

/** Connects from a fixed port; says what came of it, and goes without a word to the peer. */
const client = (to: string): string => `
  const socket = require('node:net').connect({ host: '${to}', port: ${port}, localPort: ${clientPort} });
  const end = (word) => { console.log(word); socket.resetAndDestroy(); process.exit(); };
  socket.on('data', () => end('answered')).on('error', (error) => end(error.code));
  setTimeout(() => end('silence'), 1500);`;

describe('the guard of a captured pod', () => {
  let bed: NamespaceBed;
  let pod: NetworkNamespace;
  const redirector = new Redirector({ run: runInNamespace });
  const children: ChildProcessWithoutNullStreams[] = [];

  beforeEach(() => {
    bed = new NamespaceBed();
    bed.add('far');
    pod = bed.add('pod');
    bed.link(
      { namespace: 'far', device: 'eth0', addresses: ['10.78.0.1/24'] },
      { namespace: 'pod', device: 'eth0', addresses: ['10.78.0.2/24'] },
    );
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    bed[Symbol.dispose]();
  });

  /** A server in a namespace; resets its connections, and gives the number it has accepted. */
  async function serveIn(name: string): Promise<() => Promise<number>> {
    const [child, told] = start(name, server);
    await told();
    return async () => {
      child.stdin.write('?');
      return Number((await told()).split(' ')[1]);
    };
  }

  /** A program of Node in a namespace, and its next line of output. */
  function start(name: string, script: string): [ChildProcessWithoutNullStreams, () => Promise<string>] {
    const child = spawn('ip', ['netns', 'exec', bed.nameOf(name), process.execPath, '-e', script]);
    children.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return [child, async () => String((await lines.next()).value)];
  }

  const callFrom = (name: string, to: string): string => bed.exec(name, process.execPath, '-e', client(to)).trim();

  for (const { direction, from, at, to } of [
    { direction: 'outwards', from: 'pod', at: 'far', to: '10.78.0.1' },
    { direction: 'inwards', from: 'far', at: 'pod', to: '10.78.0.2' },
  ]) {
    it(`refuses a connection that a remembered one would let past the capture ${direction}, and the server sees nothing`, async () => {
      const accepted = await serveIn(at);
      bed.exec('pod', 'nft', tracking);
      if (from === 'far') bed.exec('far', 'nft', tracking);
      expect(callFrom(from, to)).to.equal('answered');
      expect(await accepted()).to.equal(1);
      // Only what loses the ends goes: the tracking has to remember.
      for (const name of ['pod', 'far'])
        if (name === 'pod' || from === 'far')
          bed.exec(name, 'nft', 'delete chain inet before lost; delete chain inet before lost-in');
      await redirector.install(pod, {}, soon());
      expect(callFrom(from, to)).to.be.oneOf(['ECONNREFUSED', 'ECONNRESET', 'silence']);
      expect(await accepted()).to.equal(1);
    });
  }

  for (const { tracked, before } of [
    {
      tracked: 'that tracking knew',
      before: 'table inet before { chain out { type filter hook output priority 0; ct state new accept; }; }',
    },
    { tracked: 'that tracking never saw', before: '' },
  ]) {
    it(`lets a connection live on ${tracked}, when the pod is captured`, async () => {
      await serveIn('far');
      if (before !== '') bed.exec('pod', 'nft', before);
      const script = `const socket = require('node:net').connect(${port}, '10.78.0.1');
        socket.on('data', (data) => console.log(String(data))).on('error', (error) => console.log(error.code));
        process.stdin.on('data', (text) => socket.write(text));`;
      const [child, told] = start('pod', script);
      expect(await told()).to.equal('hello');
      await redirector.install(pod, {}, soon());
      child.stdin.write('more');
      expect(await told()).to.equal('more');
    });
  }

  it('goes with the redirection', async () => {
    const accepted = await serveIn('far');
    await redirector.install(pod, {}, soon());
    expect(callFrom('pod', '10.78.0.1')).to.equal('ECONNREFUSED');
    await redirector.remove(pod, soon());
    expect(callFrom('pod', '10.78.0.1')).to.equal('answered');
    expect(await accepted()).to.equal(1);
  });
});
