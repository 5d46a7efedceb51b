import { execFile } from 'node:child_process';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { reexecInUserNamespace } from '../../src/host/user-namespace.ts';

const run = promisify(execFile);
const program = [process.execPath, join(import.meta.dirname, 'unprivileged-lab.ts')];
const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];

/** What a program printed as its one line of JSON. */
async function output([file = '', ...args]: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await run(file, args, { timeout: 15_000, env: { PATH: process.env['PATH'], HOME: '/nonexistent' } });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('reexecInUserNamespace', function () {
  this.timeout(20_000);

  it('gives an ordinary user a whole lab: pods, cluster IPs and a wiretap', async () => {
    const { id, ...seen } = await output([...nobody, ...program, '--flag', 'a b']);
    expect(seen).to.deep.equal({
      uid: 0,
      samePid: true,
      answers: ['server saw 10.244.1.2', 'server saw 10.244.1.2'],
      seen: ['GET / HTTP/1.1', 'HTTP/1.1 200 O', 'GET / HTTP/1.1', 'HTTP/1.1 200 O'],
      incomplete: 0,
      labs: [],
      args: ['--flag', 'a b'],
    });
    const onTheMachine = await readdir('/run/netns').catch(() => []);
    expect(onTheMachine.filter((name) => name.startsWith(`cm-${String(id)}-`))).to.deep.equal([]);
  });

  it('leaves root where it is', async () => {
    const own = await readlink('/proc/self/ns/user');
    expect(await reexecInUserNamespace(['/no/such/program'])).to.deep.equal({ kind: 'privileged' });
    expect(await readlink('/proc/self/ns/user')).to.equal(own);
  });

  it('says what to change when the kernel allows no user namespace', async () => {
    // The limit is that of the user namespace made here, not the machine's.
    const confine = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all -- "$@"';
    const { code, explained } = await output(['unshare', '--user', '--map-root-user', 'sh', '-c', confine, 'sh', ...program]);
    expect(code).to.equal('MESH-HOST-001');
    expect(explained).to.include('root lacks CAP_NET_ADMIN and CAP_SYS_ADMIN').and.include('No space left on device');
    expect(explained).to.include('sudo sysctl user.max_user_namespaces=15000');
  });
});
