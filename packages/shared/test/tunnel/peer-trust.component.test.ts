import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readAnswer } from '../../src/certificates/issue-certificate.ts';
import { PeerTrust } from '../../src/certificates/peer-trust.ts';
import type { PeerTrustOptions, Reporter, TrustFile } from '../../src/certificates/peer-trust.ts';
import type { CertificateSource } from '../../src/certificates/workload-certificate.ts';
import type { SpiffeId } from '../../src/identity/spiffe.ts';
import type { Logger } from '../../src/observe/log.ts';
import { silentLogger } from '../../src/observe/log.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import { bounded } from './bounded.ts';
import { client, openBed, server, streamOf } from './tunnel-bed.ts';
import type { Bed } from './tunnel-bed.ts';

type Line = { readonly level: string; readonly message: string };

/** One file that the test replaces, a trust that reads it, and what was said of it. */
class Watched implements AsyncDisposable {
  readonly clock = new FakeClock(Date.now());
  readonly failed: TrustFile[] = [];
  readonly revoked: Reporter[] = [];
  readonly path: string;
  readonly #lines: Line[] = [];
  #waiting: (() => void)[] = [];
  #trust: PeerTrust | undefined;

  constructor(directory: string) {
    this.path = join(directory, 'file.pem');
  }

  get trust(): PeerTrust {
    if (this.#trust === undefined) throw new Error('not open yet');
    return this.#trust;
  }

  async open(kind: 'rootsPath' | 'crlPath'): Promise<PeerTrust> {
    const options: PeerTrustOptions = { [kind]: this.path };
    const say =
      (level: string): Logger['info'] =>
      (message) => {
        this.#lines.push({ level, message });
        for (const wake of this.#waiting.splice(0)) wake();
      };
    const logger: Logger = { ...silentLogger, info: say('info'), warn: say('warn'), error: say('error') };
    const metrics = {
      trustFileFailed: (file: TrustFile) => void this.failed.push(file),
      peerRevoked: (reporter: Reporter) => void this.revoked.push(reporter),
    };
    this.#trust = await PeerTrust.open(options, { clock: this.clock, logger, metrics });
    return this.#trust;
  }

  /** Replaces the file as a mount does, and waits until it was noticed. */
  async replace(text: string): Promise<void> {
    await this.put(text);
    const seen = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.clock.advance(2_000);
    await bounded(seen, 'noticed');
  }

  async put(text: string): Promise<void> {
    await writeFile(`${this.path}.new`, text);
    await rename(`${this.path}.new`, this.path);
  }

  /** Lines so far of a level. */
  lines(level: string): readonly string[] {
    return this.#lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#trust?.[Symbol.dispose]();
  }
}

async function certificatesOf(
  authority: TestAuthority,
  id: SpiffeId,
  trust?: PeerTrust,
): Promise<CertificateSource & { certPem: string }> {
  const { certPem, keyPem } = await authority.issue({ uris: [id] });
  const certificate = readAnswer([certPem, authority.rootPem], id, keyPem, { trust });
  return { certPem, get: () => Promise.resolve(certificate) };
}

/** Of two names: leaves of these authorities do not say by which key they were signed. */
function twoRoots(): Promise<readonly [TestAuthority, TestAuthority]> {
  return Promise.all([TestAuthority.create({ name: 'old root' }), TestAuthority.create({ name: 'next root' })]);
}

async function fares(bed: Bed): Promise<string> {
  const outcome = await bed.dial();
  if (outcome.kind !== 'open') return 'refused';
  // A server's refusal shows at the client only when the connection is used, which it was: 200 came.
  streamOf(outcome).destroy();
  return 'open';
}

describe('PeerTrust', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'clearmesh-trust-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  describe('a file of roots', () => {
    it('makes peers of another root acceptable at the next handshake, with the certificates as they are', async () => {
      await using watched = new Watched(directory);
      const [old, next] = await twoRoots();
      await watched.put(old.rootPem);
      const trust = await watched.open('rootsPath');
      const [servers, clients] = await Promise.all([certificatesOf(old, server, trust), certificatesOf(next, client, trust)]);
      await using bed = await openBed({ certificates: servers, clientCertificates: clients });
      // A client of the next root knows both, a server of the old one does not yet know the next.
      expect(await fares(bed)).to.equal('refused');
      expect(bed.failures.map(({ reason }) => reason)).to.deep.equal(['unknown-authority']);
      await watched.replace(`${old.rootPem}\n${next.rootPem}`);
      expect(await fares(bed)).to.equal('open');
      expect((await servers.get(server, new AbortController().signal)).roots.length).to.equal(2);
    });

    it('keeps the roots read before when a new file is of no use, and takes the next good one', async () => {
      await using watched = new Watched(directory);
      const [old, next] = await twoRoots();
      await watched.put(`${old.rootPem}\n${next.rootPem}`);
      const trust = await watched.open('rootsPath');
      const kept = trust.roots;
      const { certPem } = await old.issue({ uris: [client] });
      for (const broken of [
        '',
        '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
        certPem,
        'x'.repeat(1024 * 1024 + 1),
      ]) {
        await watched.replace(broken);
        expect(trust.roots, broken.slice(0, 30)).to.equal(kept);
      }
      expect(watched.failed).to.deep.equal(['roots', 'roots', 'roots', 'roots']);
      expect(watched.lines('error')[3]).to.include('1048577 bytes are more than the 1048576 that are read [MESH-CERT-002]');
      await watched.replace(next.rootPem);
      expect(trust.roots.length).to.equal(1);
    });
  });

  describe('a file of revocation lists', () => {
    for (const [who, reporter] of [
      ['client', 'destination'],
      ['server', 'source'],
    ] as const) {
      it(`cuts an open connection to a ${who} that a new list revokes, and refuses the next`, async () => {
        await using watched = new Watched(directory);
        const authority = await TestAuthority.create();
        const trust = await watched.open('crlPath');
        const servers = await certificatesOf(authority, server, who === 'client' ? trust : undefined);
        const clients = await certificatesOf(authority, client, who === 'server' ? trust : undefined);
        await using bed = await openBed({ certificates: servers, clientCertificates: clients });
        const stream = streamOf(await bed.dial());
        const closed = new Promise((resolve) => stream.once('close', resolve));
        stream.on('error', () => {}).resume();
        const { certPem } = who === 'client' ? clients : servers;
        await watched.replace(await authority.revocationList({ revoked: [certPem] }));
        await bounded(closed, 'cut');
        expect(watched.lines('warn')).to.deep.equal(['open connections of revoked peers were cut']);
        expect(await fares(bed)).to.equal('refused');
        expect(watched.revoked).to.deep.equal([reporter, reporter]);
        if (who === 'client') expect(bed.failures.map(({ reason }) => reason)).to.deep.equal(['revoked']);
        await watched.replace(await authority.revocationList({ revoked: [] }));
        expect(await fares(bed)).to.equal('open');
      });
    }

    it('refuses a peer below a revoked authority', async () => {
      await using watched = new Watched(directory);
      const root = await TestAuthority.create();
      const below = await root.intermediate();
      const trust = await watched.open('crlPath');
      const servers = await certificatesOf(root, server, trust);
      const clients = await certificatesOf(below, client);
      await using bed = await openBed({ certificates: servers, clientCertificates: clients });
      expect(await fares(bed)).to.equal('open');
      const authorityPem = `-----BEGIN${clients.certPem.split('-----BEGIN')[2]}`;
      await watched.replace(await root.revocationList({ revoked: [authorityPem] }));
      expect(await fares(bed)).to.equal('refused');
      expect(bed.failures.at(-1)?.error.message).to.include('an authority above it');
    });

    it('keeps revoking by the list read before when a new one is of no use, and stops when the file is gone', async () => {
      await using watched = new Watched(directory);
      const authority = await TestAuthority.create();
      const clients = await certificatesOf(authority, client);
      await watched.put(await authority.revocationList({ revoked: [clients.certPem] }));
      const servers = await certificatesOf(authority, server, await watched.open('crlPath'));
      await using bed = await openBed({ certificates: servers, clientCertificates: clients });
      await watched.replace('<html>');
      expect(await fares(bed)).to.equal('refused');
      expect(watched.failed).to.deep.equal(['crl']);
      await rm(watched.path);
      watched.clock.advance(2_000);
      while (watched.lines('info').length < 2) await new Promise((resolve) => setImmediate(resolve));
      expect(await fares(bed)).to.equal('open');
    });

    it('warns of a list past its next update, which stays in force', async () => {
      await using watched = new Watched(directory);
      const authority = await TestAuthority.create();
      const clients = await certificatesOf(authority, client);
      await watched.put(await authority.revocationList({ revoked: [clients.certPem], nextUpdate: Date.now() + 600_000 }));
      const servers = await certificatesOf(authority, server, await watched.open('crlPath'));
      expect(watched.lines('warn')).to.deep.equal([]);
      watched.clock.advance(3_600_000);
      expect(watched.lines('warn').map((line) => line.slice(0, 41))).to.deep.equal(['a revocation list is past its next update']);
      await using bed = await openBed({ certificates: servers, clientCertificates: clients });
      expect(await fares(bed)).to.equal('refused');
    });

    it('holds nothing of connections that ended, and no timer after its end', async () => {
      await using watched = new Watched(directory);
      const authority = await TestAuthority.create();
      const trust = await watched.open('crlPath');
      const both = await Promise.all([certificatesOf(authority, server, trust), certificatesOf(authority, client, trust)]);
      await using bed = await openBed({ certificates: both[0], clientCertificates: both[1] });
      streamOf(await bed.dial()).destroy();
      expect(trust.trackedCount).to.equal(2);
      await Promise.all([bed.dialer[Symbol.asyncDispose](), bed.acceptor[Symbol.asyncDispose]()]);
      expect(trust.trackedCount).to.equal(0);
      trust[Symbol.dispose]();
      expect(watched.clock.pendingTimers).to.equal(0);
    });
  });
});
