import { execFile } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SyscallError } from '../src/errno.ts';
import { NetworkNamespace } from '../src/netns.ts';
import { NamespaceBed } from '../src/testing/namespace-bed.ts';
import { openDescriptors } from '../src/testing/open-descriptors.ts';

const here = (): string => readlinkSync('/proc/thread-self/ns/net');
const module = JSON.stringify(new URL('../src/netns.ts', import.meta.url).href);

describe('NetworkNamespace', () => {
  let bed: NamespaceBed;
  let home: string;
  beforeEach(() => {
    bed = new NamespaceBed();
    home = here();
  });
  afterEach(() => {
    bed[Symbol.dispose]();
    expect(here(), 'a test left the thread in another namespace').to.equal(home);
  });

  it('runs a task inside and is back afterwards', () => {
    const pod = bed.add('pod');
    expect(pod.run(here)).to.equal(`net:[${pod.inode}]`);
    expect(here()).to.equal(home);
  });

  it('is back after a task that throws', () => {
    const pod = bed.add('pod');
    expect(() => pod.run(() => closeSync(-1))).to.throw('fd');
    expect(here()).to.equal(home);
  });

  it('nests: the inner one returns to the outer one', () => {
    const outer = bed.add('outer');
    const inner = bed.add('inner');
    const seen = outer.run(() => [here(), inner.run(here), here()]);
    expect(seen).to.deep.equal([outer, inner, outer].map((each) => `net:[${each.inode}]`));
  });

  it('runs a task where the thread is already without a right to enter anything', async () => {
    const script = `
      import { NetworkNamespace } from ${module};
      using own = NetworkNamespace.current();
      using again = own.duplicate();
      console.log(own.run(() => again.run(() => 'ran')));
      const codeOf = (task) => { try { task(); } catch (error) { return error.code; } };
      console.log(codeOf(() => NetworkNamespace.proveEntry()));
      again[Symbol.dispose]();
      console.log(codeOf(() => again.run(() => 0)));`;
    const command = [
      '--bounding-set=-all',
      '--inh-caps=-all',
      '--reuid=65534',
      process.execPath,
      '--input-type=module',
      '--eval',
      script,
    ];
    const stdout = await new Promise<string>((resolve, reject) => {
      execFile('setpriv', ['--clear-groups', ...command], { timeout: 8000 }, (error, out, err) =>
        error === null ? resolve(out) : reject(new Error(err)),
      );
    });
    expect(stdout).to.equal('ran\nEPERM\nEBADF\n');
  });

  it('proves that it may enter one', () => expect(() => NetworkNamespace.proveEntry()).not.to.throw());

  it('makes a new one, stays at home, and leaves none behind', () => {
    const devices = (): readonly string[] => readFileSync('/proc/thread-self/net/dev', 'utf8').match(/\S+(?=:)/g) ?? [];
    const descriptors = openDescriptors();
    const made = NetworkNamespace.create();
    expect(here()).to.equal(home);
    expect(made.run(here)).to.equal(`net:[${made.inode}]`).and.not.equal(home);
    expect(made.run(devices)).to.deep.equal(['lo']);
    made[Symbol.dispose]();
    expect(openDescriptors()).to.equal(descriptors);
  });

  it('refuses a task that would go on after the return', () => {
    const pod = bed.add('pod');
    expect(() => pod.run(() => Promise.resolve())).to.throw(TypeError, 'synchronous');
  });

  it('does not move other threads: libuv’s and workers stay at home', async () => {
    const pod = bed.add('pod');
    const source = `
      import { parentPort } from 'node:worker_threads';
      import { readlinkSync } from 'node:fs';
      import { NetworkNamespace } from ${module};
      const pod = NetworkNamespace.open(${JSON.stringify(bed.pathOf('pod'))});
      const here = () => readlinkSync('/proc/thread-self/ns/net');
      parentPort.postMessage([here(), pod.run(here), here()]);
      pod[Symbol.dispose]();`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    const [seen] = (await once(worker, 'message')) as [string[]];
    expect(seen).to.deep.equal([home, `net:[${pod.inode}]`, home]);
    await once(worker, 'exit');
  });

  it('knows the same namespace by device and inode', () => {
    const pod = bed.add('pod');
    using again = NetworkNamespace.open(bed.pathOf('pod'));
    using twin = pod.duplicate();
    using current = NetworkNamespace.current();
    expect([again, twin, current].map((each) => pod.isSame(each))).to.deep.equal([true, true, false]);
    expect(twin.fd).to.not.equal(pod.fd);
  });

  it('outlives its name while it is open', () => {
    const pod = bed.add('pod');
    using kept = pod.duplicate();
    bed[Symbol.dispose]();
    expect(kept.run(here)).to.equal(`net:[${kept.inode}]`);
  });

  for (const path of ['/dev/null', '/proc/self/ns/mnt', '/tmp']) {
    it(`refuses ${path}, and closes the descriptor it was given`, () => {
      const fd = openSync(path, 'r');
      expect(() => NetworkNamespace.fromFd(fd)).to.throw(SyscallError, 'namespace');
      expect(() => fstatSync(fd)).to.throw('EBADF');
    });
  }

  it('fails to enter once disposed of', () => {
    const pod = bed.add('pod');
    const copy = pod.duplicate();
    copy[Symbol.dispose]();
    copy[Symbol.dispose]();
    expect(() => copy.run(here))
      .to.throw(SyscallError, 'EBADF')
      .with.property('syscall', 'setns');
  });

  it('aborts the process when the way back is barred', async () => {
    bed.add('pod');
    const script = `
      import { closeSync, readdirSync, statSync } from 'node:fs';
      import { NetworkNamespace } from ${module};
      using own = NetworkNamespace.current();
      using pod = NetworkNamespace.open(${JSON.stringify(bed.pathOf('pod'))});
      try {
        pod.run(() => {
          for (const fd of readdirSync('/proc/self/fd').map(Number)) {
            if (fd !== own.fd && statSync('/proc/self/fd/' + fd, { throwIfNoEntry: false })?.ino === Number(own.inode)) closeSync(fd);
          }
        });
      } catch {}
      console.log('still serving');`;
    const outcome = await new Promise<{ signal: string | undefined; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, ['--input-type=module', '--eval', script], { timeout: 8000 }, (error, stdout, stderr) => {
        resolve({ signal: error?.signal ?? undefined, stdout, stderr });
      });
    });
    expect(outcome).to.deep.include({ signal: 'SIGABRT', stdout: '' });
    expect(outcome.stderr).to.match(/cannot leave network namespace \d+, aborting: setns: bad file descriptor \(EBADF\)/);
  });

  it('returns every descriptor', () => {
    const pod = bed.add('pod');
    pod.run(here);
    const before = openDescriptors();
    for (let i = 0; i < 20; i++) {
      using twin = pod.duplicate();
      using opened = NetworkNamespace.open(bed.pathOf('pod'));
      using current = NetworkNamespace.current();
      twin.run(() => opened.run(() => current.run(here)));
      expect(() => NetworkNamespace.fromFd(openSync('/dev/null', 'r'))).to.throw('namespace');
    }
    expect(openDescriptors()).to.equal(before);
  });
});
