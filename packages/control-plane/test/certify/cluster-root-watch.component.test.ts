import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import * as tls from 'node:tls';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { askUntil } from '@clearmesh/shared/testing/ask-until';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import { createMetrics } from '../../src/admin/control-plane-metrics.ts';
import { ClusterRootWatch } from '../../src/certify/cluster-root-watch.ts';
import { openClusterRoot } from '../../src/certify/cluster-root.ts';
import { CurrentRoot } from '../../src/certify/current-root.ts';
import { createRoot, readRoot } from '@clearmesh/shared/certify/root-authority';
import { settleMs } from '../../src/certify/root-succession.ts';
import { ServerCertificate } from '../../src/certify/server-certificate.ts';
import { ApiClient } from '../../src/kubernetes/api-client.ts';
import { ApiPeer, failure } from '../fixtures/api-peer.ts';
import type { LogFields, Logger } from '@clearmesh/shared/observe/log';

const secrets = '/api/v1/namespaces/clearmesh-system/secrets';
const options = { namespace: 'clearmesh-system', trustDomain: 'cluster.local' };
const own = 'clearmesh-ca-secret';

/** Certificate and key. */
type Authority = { readonly cert: string; readonly key: string };

async function newAuthority(): Promise<Authority> {
  const pem = await createRoot({ trustDomain: 'cluster.local', nowMs: Date.now() });
  const block = (type: string): string =>
    new RegExp(`-----BEGIN ${type}-----[\\s\\S]+-----END ${type}-----`).exec(pem)?.[0] ?? '';
  return { cert: `${block('CERTIFICATE')}\n`, key: `${block('PRIVATE KEY')}\n` };
}

/** A control plane's root on a cluster with these Secrets, and time that a test moves. */
class Bed implements AsyncDisposable {
  readonly stored = new Map<string, unknown>();
  readonly clock = new FakeClock(Date.now());
  readonly metrics = createMetrics();
  readonly said: { readonly message: string; readonly fields: LogFields }[] = [];
  readonly #stack = new AsyncDisposableStack();
  peer!: ApiPeer;
  root!: CurrentRoot;

  static async start(secret: string, signer: Authority, ...roots: readonly Authority[]): Promise<Bed> {
    const bed = new Bed();
    bed.keep(secret, signer, ...roots);
    const { clock, metrics } = bed;
    bed.peer = bed.#stack.use(await ApiPeer.start());
    bed.peer.always(secrets, ({ path }, response) => {
      const found = bed.stored.get(path.slice(secrets.length + 1));
      if (found === undefined) failure(404, 'NotFound')(response, {} as never);
      else response.end(JSON.stringify(found));
    });
    const say = (message: string, fields: LogFields = {}): void => void bed.said.push({ message, fields });
    const logger: Logger = { ...silentLogger, error: say, info: say };
    const api = bed.#stack.use(new ApiClient({}, { kubeConfig: bed.peer.kubeConfig, clock }));
    const deps = { api, clock, random: new FakeRandom(), logger };
    const opened = await openClusterRoot(options, deps, AbortSignal.timeout(8000));
    bed.root = new CurrentRoot(opened.authority);
    const watch = bed.#stack.use(new ClusterRootWatch({ ...options, opened }, { ...deps, root: bed.root, metrics }));
    watch.start();
    return bed;
  }

  keep(secret: string, signer: Authority, ...roots: readonly Authority[]): void {
    const text = {
      'ca-cert.pem': signer.cert,
      'ca-key.pem': signer.key,
      'root-cert.pem': roots.map(({ cert }) => cert).join(''),
    };
    const data = Object.entries(text).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
    this.stored.set(secret, { metadata: { name: secret }, data: Object.fromEntries(data) });
  }

  /** One more look, to its end. */
  async look(): Promise<void> {
    const before = this.peer.calls.length;
    await askUntil(
      (delayMs) => delayMs === 15_000,
      async () => this.clock.nextTimerMs,
    );
    this.clock.advance(15_000);
    await this.peer.until(() => this.peer.calls.length > before, 'the look');
    await askUntil(
      (delayMs) => delayMs === 15_000,
      async () => this.clock.nextTimerMs,
    );
  }

  get signer(): string {
    return this.root.authority.certificate.toString('pem').trim();
  }

  get roots(): number {
    return this.root.rootPem.split('BEGIN').length - 1;
  }

  get pending(): boolean {
    return /^clearmesh_root_pending 1$/m.test(this.metrics.registry.text());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

describe('ClusterRootWatch', () => {
  it('replaces the mesh’s own root step by step, and tells those who hold certificates of it', async () => {
    const [old, next] = [await newAuthority(), await newAuthority()];
    await using bed = await Bed.start(own, old, old);
    const names = [{ type: 'dns', value: 'localhost' }] as const;
    using certificate = await ServerCertificate.issue(
      { names: [...names] },
      { root: bed.root, clock: bed.clock, logger: silentLogger },
    );
    const issuerKnows = (authority: Authority): boolean =>
      new X509Certificate(certificate.credentials.cert).verify(new X509Certificate(authority.cert).publicKey);

    bed.keep(own, next, next, old);
    await bed.look();
    expect([bed.signer, bed.roots, bed.pending]).to.deep.equal([old.cert.trim(), 2, true]);
    await bed.look();
    expect([bed.signer, bed.pending]).to.deep.equal([old.cert.trim(), true]);
    for (let passedMs = 0; passedMs < settleMs; passedMs += 15_000) await bed.look();
    expect([bed.signer, bed.roots, bed.pending]).to.deep.equal([next.cert.trim(), 2, false]);
    expect(
      await askUntil(
        (knows) => knows,
        async () => issuerKnows(next),
      ),
    ).to.equal(true);

    bed.keep(own, next, next);
    await bed.look();
    expect([bed.signer, bed.roots]).to.deep.equal([next.cert.trim(), 1]);
    const told = bed.said.filter(({ fields }) => fields['signer'] !== undefined);
    expect(told.map(({ fields }) => [fields['added'] !== '', fields['dropped'] !== ''])).to.deep.equal([
      [true, false],
      [false, false],
      [false, true],
    ]);
  }).timeout(20_000);

  it('keeps what is in force while the Secret lacks the root in use, and says so once', async () => {
    const [old, next] = [await newAuthority(), await newAuthority()];
    await using bed = await Bed.start(own, old, old);
    bed.keep(own, next, next);
    for (let looks = 0; looks < 3; looks++) await bed.look();
    expect([bed.signer, bed.pending]).to.deep.equal([old.cert.trim(), true]);
    expect(bed.said.filter(({ message }) => message.includes('does not take over'))).to.have.length(1);
    bed.keep(own, old, old);
    await bed.look();
    expect(bed.pending).to.equal(false);
  });

  it('keeps what is in force when the Secret is of no use', async () => {
    const old = await newAuthority();
    await using bed = await Bed.start('cacerts', old, old);
    bed.keep('cacerts', { cert: 'x', key: old.key }, old);
    await bed.look();
    expect([bed.signer, bed.pending]).to.deep.equal([old.cert.trim(), true]);
    expect(String(bed.said.at(-1)?.fields['problem'])).to.contain('clearmesh-system/cacerts');
  });

  it('does not go back from a bank’s authority to the mesh’s own when the Secret goes', async () => {
    const [bank, mesh] = [await newAuthority(), await newAuthority()];
    await using bed = await Bed.start('cacerts', bank, bank, mesh);
    bed.stored.delete('cacerts');
    await bed.look();
    expect(bed.pending).to.equal(true);
    bed.keep(own, mesh, mesh, bank);
    await bed.look();
    expect([bed.signer, bed.pending]).to.deep.equal([bank.cert.trim(), true]);
  });

  it('takes back a bank’s authority whose Secret goes before it has signed anything', async () => {
    const [mesh, bank] = [await newAuthority(), await newAuthority()];
    await using bed = await Bed.start(own, mesh, mesh);
    bed.keep('cacerts', bank, bank, mesh);
    await bed.look();
    expect([bed.signer, bed.roots, bed.pending]).to.deep.equal([mesh.cert.trim(), 2, true]);
    bed.stored.delete('cacerts');
    await bed.look();
    expect([bed.signer, bed.roots, bed.pending]).to.deep.equal([mesh.cert.trim(), 1, false]);
  });

  it('sees no change while the API does not answer', async () => {
    const old = await newAuthority();
    await using bed = await Bed.start(own, old, old);
    bed.peer.next(secrets, failure(503, 'ServiceUnavailable'));
    await bed.look();
    expect([bed.signer, bed.pending]).to.deep.equal([old.cert.trim(), false]);
  });

  it('sees no change while the API is silent', async () => {
    const old = await newAuthority();
    await using bed = await Bed.start(own, old, old);
    bed.peer.next(secrets, () => {});
    await askUntil(
      (delayMs) => delayMs === 15_000,
      async () => bed.clock.nextTimerMs,
    );
    bed.clock.advance(15_000);
    await bed.peer.until(() => bed.clock.nextTimerMs === 10_000, 'the question');
    bed.clock.advance(10_000);
    await bed.look();
    expect([bed.signer, bed.pending, bed.said]).to.deep.equal([old.cert.trim(), false, []]);
  });

  it('lets clients that trust two roots of one name verify servers below either', async () => {
    const [first, second] = [await newAuthority(), await newAuthority()];
    for (const signer of [first, second]) {
      const root = new CurrentRoot(readRoot(signer.cert + signer.key, Date.now()));
      const deps = { root, clock: new FakeClock(Date.now()), logger: silentLogger };
      using certificate = await ServerCertificate.issue({ names: [{ type: 'dns', value: 'localhost' }] }, deps);
      const server = tls.createServer({ ...certificate.credentials }, (socket) => socket.end());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as { port: number };
      const client = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: [first.cert, second.cert] });
      await once(client, 'secureConnect');
      expect(client.authorized).to.equal(true);
      client.destroy();
      server.close();
    }
  });
});
