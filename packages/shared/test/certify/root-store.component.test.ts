import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemRandom } from '../../src/lifecycle/random.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { MeshError } from '../../src/observe/mesh-error.ts';
import { openRoot } from '../../src/certify/root-store.ts';
import { TemporaryDirectory } from '../../src/testing/temporary-directory.ts';
import type { RootAuthority } from '../../src/certify/root-authority.ts';

function open(path: string, clock = new FakeClock()): Promise<RootAuthority> {
  return openRoot({ stateDirectory: path, trustDomain: 'cluster.local' }, { clock, random: systemRandom });
}

async function failure(path: string, clock = new FakeClock()): Promise<MeshError> {
  const error = await open(path, clock).catch((thrown: unknown) => thrown);
  expect(error).to.be.instanceOf(MeshError);
  return error as MeshError;
}

describe('openRoot', () => {
  it('makes a root for ten years on the first start, and keeps its key to the owner', async () => {
    await using directory = await TemporaryDirectory.create();
    const state = join(directory.path, 'new', 'state');
    await open(state);
    const certificate = new X509Certificate(await readFile(join(state, 'root-cert.pem')));
    expect(certificate.ca).to.equal(true);
    expect(certificate.verify(certificate.publicKey)).to.equal(true);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).to.equal('prime256v1');
    expect(new Date(certificate.validTo).getUTCFullYear()).to.equal(2035);
    expect((await stat(join(state, 'ca.pem'))).mode & 0o777).to.equal(0o600);
    expect((await stat(join(state, 'root-cert.pem'))).mode & 0o777).to.equal(0o644);
    expect(await readFile(join(state, 'root-cert.pem'), 'utf8')).not.to.contain('PRIVATE');
    expect((await readdir(state)).sort()).to.deep.equal(['ca.pem', 'root-cert.pem']);
  });

  it('finds the same root at every later start', async () => {
    await using directory = await TemporaryDirectory.create();
    const first = await open(directory.path);
    expect((await open(directory.path)).rootPem).to.equal(first.rootPem);
  });

  it('makes one root for two processes that start at once', async () => {
    await using directory = await TemporaryDirectory.create();
    const roots = await Promise.all(Array.from({ length: 8 }, () => open(directory.path)));
    expect(new Set(roots.map(({ rootPem }) => rootPem)).size).to.equal(1);
  });

  for (const mode of [0o644, 0o640, 0o620, 0o604, 0o777]) {
    it(`refuses a key file of mode ${mode.toString(8)}`, async () => {
      await using directory = await TemporaryDirectory.create();
      await open(directory.path);
      await chmod(join(directory.path, 'ca.pem'), mode);
      const error = await failure(directory.path);
      expect(error.code).to.equal('MESH-CERT-002');
      expect(error.message).to.contain(`mode 0${mode.toString(8)}`);
      expect(error.hint).to.match(/chmod 600/);
    });
  }

  it('refuses what it cannot use, and never overwrites it', async () => {
    const other = await (async () => {
      await using directory = await TemporaryDirectory.create();
      await open(directory.path);
      return readFile(join(directory.path, 'ca.pem'), 'utf8');
    })();
    await using directory = await TemporaryDirectory.create();
    const good = await open(directory.path).then(() => readFile(join(directory.path, 'ca.pem'), 'utf8'));
    const certificate = /-----BEGIN CERT[\s\S]+END CERTIFICATE-----/.exec(good)![0];
    const foreignKey = /-----BEGIN PRIV[\s\S]+END PRIVATE KEY-----/.exec(other)![0];
    const cases: readonly [string, RegExp][] = [
      ['', /one certificate/],
      ['garbage', /one certificate/],
      [certificate, /private key/],
      [`${certificate}\n${certificate}\n`, /one certificate/],
      [`${certificate}\n${foreignKey}\n`, /not the certificate’s/],
      [good.slice(0, -60), /private key/],
    ];
    for (const [text, message] of cases) {
      await writeFile(join(directory.path, 'ca.pem'), text);
      const error = await failure(directory.path);
      expect(error.message).to.match(message);
      expect(await readFile(join(directory.path, 'ca.pem'), 'utf8')).to.equal(text);
    }
  });

  it('refuses a root that has ended', async () => {
    await using directory = await TemporaryDirectory.create();
    await open(directory.path);
    const later = new FakeClock(Date.UTC(2036, 0, 1));
    expect((await failure(directory.path, later)).message).to.match(/ended on 2035/);
  });

  it('refuses a directory where the file should be', async () => {
    await using directory = await TemporaryDirectory.create();
    await mkdir(join(directory.path, 'ca.pem'), { mode: 0o700 });
    expect((await failure(directory.path)).code).to.equal('MESH-CERT-002');
  });
});
