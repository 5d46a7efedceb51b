import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Installer, uninstall } from '../../src/install/installer.ts';

const conf = (...types: readonly string[]): string =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: types.map((type) => ({ type })) });

describe('Installer', () => {
  let directory: string;
  let clock: FakeClock;
  let stop: AbortController;
  let running: Promise<void>;
  let states: (string | undefined)[];
  let writes: number;

  const path = (...names: readonly string[]): string => join(directory, ...names);
  const confFile = (): string => path('conf', '10-net.conflist');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'install-'));
    for (const name of ['conf', 'bin']) mkdirSync(path(name));
    writeFileSync(path('plugin'), 'the plugin');
    writeFileSync(confFile(), conf('bridge'), { mode: 0o640 });
    clock = new FakeClock();
    stop = new AbortController();
    running = Promise.resolve();
    states = [];
    writes = 0;
  });
  afterEach(async () => {
    stop.abort();
    await running;
    expect(clock.pendingTimers).to.equal(0);
    rmSync(directory, { recursive: true });
  });

  function start(confName = ''): void {
    const entry = { socket: '/run/p.sock', excludeNamespaces: [], systemNamespace: 'clearmesh-system' };
    const options = { confDir: path('conf'), binDir: path('bin'), confName, pluginBinary: path('plugin'), entry };
    const onState = (problem: string | undefined): void => void states.push(problem);
    const installer = new Installer(options, { clock, logger: silentLogger, onState, onWrite: () => writes++ });
    running = installer.run(stop.signal);
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => void setImmediate(resolve));
  }
  const looked = (times: number): Promise<void> => until(() => states.length >= times);
  const isIn = (): boolean => readFileSync(confFile(), 'utf8').includes('clearmesh-cni');

  it('puts program and entry in place, whole, with the rights the file had', async () => {
    start();
    await looked(1);
    expect([states, writes, isIn()]).to.deep.equal([[undefined], 1, true]);
    expect([statSync(path('bin/clearmesh-cni')).mode & 0o777, statSync(confFile()).mode & 0o777]).to.deep.equal([0o755, 0o640]);
    expect([...readdirSync(path('conf')), ...readdirSync(path('bin'))]).to.deep.equal(['10-net.conflist', 'clearmesh-cni']);
  });

  it('writes again what somebody has written over, but not more often than once a second', async () => {
    start();
    await looked(1);
    writeFileSync(confFile(), conf('ptp'));
    await until(() => clock.nextTimerMs === 1_000);
    expect(isIn()).to.equal(false);
    clock.advance(1_000);
    await looked(2);
    expect([isIn(), writes]).to.deep.equal([true, 2]);
  });

  it('replaces a program that is another, and leaves one alone that is the same', async () => {
    writeFileSync(path('bin/clearmesh-cni'), 'an old one', { mode: 0o755 });
    start();
    await looked(1);
    expect(readFileSync(path('bin/clearmesh-cni'), 'utf8')).to.equal('the plugin');
    const { ino } = statSync(path('bin/clearmesh-cni'));
    stop.abort();
    await running;
    stop = new AbortController();
    start();
    await looked(2);
    expect(statSync(path('bin/clearmesh-cni')).ino).to.equal(ino);
  });

  it('waits for the network that has to come first, and says for what', async () => {
    rmSync(confFile());
    start();
    await looked(1);
    expect(states[0]).to.include('has no network configuration yet');
    stop.abort();
    await running;
    stop = new AbortController();
    writeFileSync(confFile(), conf('bridge'));
    start('20-other.conflist');
    await until(() => states.at(-1)?.includes('has no 20-other.conflist yet') === true);
  });

  it('says what it cannot do', async () => {
    rmSync(path('plugin'));
    start();
    await looked(1);
    expect(states[0]).to.include('ENOENT');
    expect(isIn()).to.equal(false);
  });

  it('takes out of every file what it has put in, and leaves what it cannot read', async () => {
    start();
    await looked(1);
    writeFileSync(path('conf/20-more.conflist'), conf('ptp', 'clearmesh-cni'));
    writeFileSync(path('conf/30-broken.conflist'), '{');
    await uninstall({ confDir: path('conf'), binDir: path('bin') }, { logger: silentLogger });
    const texts = readdirSync(path('conf')).map((name) => readFileSync(path('conf', name), 'utf8'));
    expect(texts.join()).to.not.include('clearmesh-cni');
    expect(texts.at(-1)).to.equal('{');
    expect(readdirSync(path('bin'))).to.deep.equal([]);
  });

  it('lets go of every watcher when it stops', async () => {
    const before = watchers();
    for (let rounds = 1; rounds <= 20; rounds++) {
      start();
      await looked(rounds);
      stop.abort();
      await running;
      stop = new AbortController();
    }
    await until(() => watchers() <= before);
  });

  const watchers = (): number => process.getActiveResourcesInfo().filter((name) => name.startsWith('FSEvent')).length;
});
