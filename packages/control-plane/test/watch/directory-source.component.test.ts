import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import type { Clock } from '@clearmesh/shared/lifecycle/clock';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { DirectorySource } from '../../src/watch/directory-source.ts';
import { podText, told, WatchedDirectory } from '../fixtures/watched-directory.ts';
import type { SourceEvent } from '../../src/watch/configuration-source.ts';

const namespaceText = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: bank }\n';
const taken = (event: SourceEvent): boolean => event.kind === 'taken';
const hasPod =
  (name: string) =>
  (event: SourceEvent): boolean =>
    event.kind === 'taken' && told(event).includes(name);

describe('DirectorySource', () => {
  it('reads all manifests below the directory, and leaves other and hidden files alone', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') });
    const root = join(watched.path, 'manifests');
    await mkdir(join(root, 'deep', 'er'), { recursive: true });
    await mkdir(join(root, '.git'));
    await writeFile(join(root, 'deep', 'er', 'b.yml'), `${podText('b')}---\n${podText('c')}`);
    await writeFile(join(root, '.hidden.yaml'), 'broken: [');
    await writeFile(join(root, '.git', 'x.yaml'), 'broken: [');
    await writeFile(join(root, 'README.md'), 'broken: [');
    await watched.source.start();
    expect(told(await watched.next())).to.deep.equal(['a', 'b', 'c']);
  });

  for (const [title, files] of [
    ['without a file, such as a volume that is not mounted yet', {}],
    ['whose files hold nothing but comments', { 'manifests/a.yaml': '# later\n' }],
  ] as const) {
    it(`rejects a directory ${title}, rather than publish an empty mesh`, async () => {
      await using watched = await WatchedDirectory.open(files);
      await watched.source.start();
      expect(told(await watched.next())).to.deep.equal(['manifests:1 holds no object, and an empty mesh is not published']);
      await watched.replace('manifests/b.yaml', podText('b'));
      expect(told(await watched.next())).to.deep.equal(['b']);
    });
  }

  it('takes a directory that is empty on purpose: one Namespace is left', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/n.yaml': namespaceText });
    await watched.source.start();
    expect(await watched.next()).to.deep.include({ kind: 'taken', files: 1, objects: 1 });
  });

  it('takes a change well within a second', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') });
    await watched.source.start();
    await watched.next();
    const before = performance.now();
    await watched.replace('manifests/b.yaml', podText('b'));
    await watched.until(hasPod('b'));
    expect(performance.now() - before).to.be.lessThan(1000);
  });

  it('follows files that appear, change, move and vanish, in new folders too', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') });
    const root = join(watched.path, 'manifests');
    await watched.source.start();
    await watched.next();
    await watched.replace('manifests/new/b.yaml', podText('b'));
    expect(told((await watched.until(hasPod('b'))).at(-1)!)).to.deep.equal(['a', 'b']);
    await writeFile(join(root, 'a.yaml'), podText('z'));
    expect(told((await watched.until(hasPod('z'))).at(-1)!)).to.deep.equal(['b', 'z']);
    await rename(join(root, 'a.yaml'), join(root, 'a.off'));
    expect(told((await watched.until((event) => taken(event) && !hasPod('z')(event))).at(-1)!)).to.deep.equal(['b']);
    await rm(join(root, 'new'), { recursive: true });
    const last = (await watched.until((event) => !taken(event))).at(-1)!;
    expect(told(last)).to.deep.equal(['manifests:1 holds no object, and an empty mesh is not published']);
  });

  it('keeps the last good collections while anything is wrong, and takes the next good version', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') });
    await watched.source.start();
    await watched.next();
    const good = watched.source.collections;
    await watched.replace('manifests/b.yaml', `${podText('b')}---\nkind: Nonsense\napiVersion: v1\n`);
    expect(told(await watched.next())).to.deep.equal(['b.yaml:5 is not a supported kind']);
    expect(watched.source.collections).to.equal(good);
    await watched.replace('manifests/b.yaml', podText('b'));
    expect(told(await watched.next())).to.deep.equal(['a', 'b']);
    expect(watched.source.collections).not.to.equal(good);
  });

  it('rejects a directory that is wrong from the start, and takes it once it is mended', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': 'kind: [' });
    await watched.source.start();
    expect((await watched.next()).kind).to.equal('rejected');
    expect(watched.source.collections).to.equal(undefined);
    await watched.replace('manifests/a.yaml', podText('a'));
    expect(told(await watched.next())).to.deep.equal(['a']);
  });

  it('reports nothing of a file caught half written', async () => {
    const repeating = Promise.withResolvers<void>();
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, task) => {
        if (delayMs === 345) repeating.resolve();
        return systemClock.after(delayMs, task);
      },
    };
    await using watched = await WatchedDirectory.open({ 'manifests/n.yaml': namespaceText }, { retryMs: 345 }, clock);
    await watched.source.start();
    await watched.next();
    const text = `${podText('a')}---\n${podText('b')}`;
    const file = join(watched.path, 'manifests', 'slow.yaml');
    await writeFile(file, text.slice(0, 90));
    await repeating.promise;
    await writeFile(file, text);
    const events = await watched.until(hasPod('b'));
    expect(events.map(({ kind }) => kind)).to.deep.equal(['taken']);
  });

  it('reports a file that stays cut in half, with its place', async () => {
    await using watched = await WatchedDirectory.open({
      'manifests/a.yaml': `${podText('a')}---\n${podText('b')}`.slice(0, 120),
    });
    await watched.source.start();
    expect(told(await watched.next())[0]).to.match(/^a\.yaml:7 /);
  });

  it('names both places where two objects contradict each other', async () => {
    await using watched = await WatchedDirectory.open({
      'manifests/a.yaml': podText('a', '10.244.1.2'),
      'manifests/b.yaml': podText('b', '10.244.1.2'),
      'manifests/c.yaml': podText('a', '10.244.1.3'),
    });
    await watched.source.start();
    const event = await watched.next();
    const problems = event.kind === 'rejected' ? event.problems : [];
    expect(problems.map(({ code, file, line, object, message }) => [code, file.slice(-6), line, object, message])).to.deep.equal([
      ['MESH-CONFIG-002', 'b.yaml', 4, 'Pod bank/b', `is also the address of Pod bank/a (${watched.path}/manifests/a.yaml:4)`],
      [
        'MESH-CONFIG-002',
        'c.yaml',
        3,
        'Pod bank/a',
        `is already taken by another Pod bank/a (${watched.path}/manifests/a.yaml:3)`,
      ],
    ]);
  });

  it('merges what the status file knows of pods, and follows its replacement', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') });
    await watched.source.start();
    expect(firstPod(await watched.next())?.status).to.equal(undefined);
    await watched.replace(
      'status.yaml',
      'pods:\n  bank/a: { podIPs: [10.244.1.2], nodeName: node-a, ready: true, redirection: enabled }\n',
    );
    const pod = firstPod((await watched.until((event) => firstPod(event)?.status !== undefined)).at(-1)!);
    expect(pod?.status?.podIPs).to.deep.equal([{ ip: '10.244.1.2' }]);
    expect(pod?.spec?.nodeName).to.equal('node-a');
    await watched.replace('status.yaml', 'pods:\n  bank/a: { podIPs: [10.244.1.2], ready: false }\n');
    await watched.until((event) => firstPod(event)?.status?.conditions?.[0]?.status === 'False');
    const known = watched.source.collections;
    await rm(join(watched.path, 'status.yaml'));
    expect(told((await watched.until((event) => !taken(event))).at(-1)!)).to.deep.equal(['status.yaml:1 has vanished']);
    expect(watched.source.collections, 'pods whose status file vanished').to.equal(known);
  });

  it('rejects a status file that is wrong, as any other file', async () => {
    await using watched = await WatchedDirectory.open({
      'manifests/a.yaml': podText('a'),
      'status.yaml': 'pods: { bank/a: { podIPs: [x] } }\n',
    });
    await watched.source.start();
    expect(told(await watched.next())).to.deep.equal(['status.yaml:1 must be an IP address, such as 10.244.1.2']);
  });

  it('follows a mounted ConfigMap, whose files are links into a folder that is exchanged whole', async () => {
    await using watched = await WatchedDirectory.open();
    const root = join(watched.path, 'manifests');
    await mkdir(join(root, '..data-1'));
    await writeFile(join(root, '..data-1', 'a.yaml'), podText('a'));
    await symlink('..data-1', join(root, '..data'));
    await symlink(join('..data', 'a.yaml'), join(root, 'a.yaml'));
    await watched.source.start();
    await watched.until(hasPod('a'));
    await mkdir(join(root, '..data-2'));
    await writeFile(join(root, '..data-2', 'a.yaml'), podText('b'));
    await symlink('..data-2', join(root, '..data-next'));
    await rename(join(root, '..data-next'), join(root, '..data'));
    await rm(join(root, '..data-1'), { recursive: true });
    expect(told((await watched.until(hasPod('b'))).at(-1)!)).to.deep.equal(['b']);
  });

  it('rejects what is no regular file, instead of waiting for it', async () => {
    await using watched = await WatchedDirectory.open();
    execFileSync('mkfifo', [join(watched.path, 'manifests', 'pipe.yaml')]);
    await watched.source.start();
    expect(told(await watched.next())).to.deep.equal(['pipe.yaml:1 is not a regular file']);
  });

  it('rejects files and directories beyond its bounds', async () => {
    await using watched = await WatchedDirectory.open(
      { 'manifests/a.yaml': podText('a'), 'manifests/b.yaml': podText('b') },
      { maxFiles: 1 },
    );
    await watched.source.start();
    expect(told(await watched.next())[0]).to.match(/more than 1 files/);
    await using small = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') }, { maxFileBytes: 10 });
    await small.source.start();
    expect(told(await small.next())[0]).to.match(/larger than 10 bytes/);
  });

  it('keeps serving when its directory vanishes, and reads it again when it is back', async () => {
    await using watched = await WatchedDirectory.open({ 'manifests/a.yaml': podText('a') });
    await watched.source.start();
    await watched.next();
    const good = watched.source.collections;
    await rename(join(watched.path, 'manifests'), join(watched.path, 'gone'));
    await watched.until((event) => event.kind === 'rejected');
    expect(watched.source.collections).to.equal(good);
    await writeFile(join(watched.path, 'gone', 'b.yaml'), podText('b'));
    await rename(join(watched.path, 'gone'), join(watched.path, 'manifests'));
    await watched.until(hasPod('b'));
  });

  it('refuses to start without its directory', async () => {
    const rules = { requirePermissiveExpiry: true, rootNamespace: 'clearmesh-system' };
    const deps = { clock: systemClock, logger: silentLogger };
    const failure = await DirectorySource.open({ directory: '/nonexistent', rules }, deps, AbortSignal.timeout(1000)).catch(
      (error: unknown) => error,
    );
    expect(failure).to.have.property('code', 'MESH-CONFIG-003');
  });
});

function firstPod(event: SourceEvent) {
  return event.kind === 'taken' ? event.collections.pods[0] : undefined;
}
