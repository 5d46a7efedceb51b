import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { identity } from '../../src/testing/builders.ts';
import { TestAuthority } from '../../src/testing/test-authority.ts';
import type { LeafSpec } from '../../src/testing/test-authority.ts';
import { IstioCertificateService } from '../../src/wire/gen/ca/ca_pb.ts';
import type { IstioCertificateRequest } from '../../src/wire/gen/ca/ca_pb.ts';
import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { GrpcCertificateAuthority } from '../../src/certificates/grpc-certificate-authority.ts';
import type { GrpcCertificateAuthorityOptions } from '../../src/certificates/grpc-certificate-authority.ts';
import { bounded } from '../tunnel/bounded.ts';

const id = identity('bank', 'client');
const never = new AbortController().signal;

type Seen = { readonly request: IstioCertificateRequest; readonly headers: Headers };

/** A certificate authority as a real gRPC server. */
class FakeAuthority implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly sessions = new Set<ServerHttp2Session>();
  answer: () => Promise<string[]> = () => Promise.resolve(['leaf', 'root']);
  readonly #server: Http2SecureServer;

  private constructor(cert: string, key: string) {
    const handler = connectNodeAdapter({
      routes: (router) =>
        void router.service(IstioCertificateService, {
          createCertificate: async (request, context) => {
            this.seen.push({ request, headers: context.requestHeader });
            return { certChain: await this.answer() };
          },
        }),
    });
    this.#server = createSecureServer({ cert, key, minVersion: 'TLSv1.3' }, handler);
    this.#server.on('session', (session) => this.sessions.add(session));
  }

  static async start(
    root: TestAuthority,
    spec: LeafSpec = { dnsNames: ['localhost'], ips: ['127.0.0.1'] },
  ): Promise<FakeAuthority> {
    const { certPem, keyPem } = await root.issue(spec);
    const authority = new FakeAuthority(certPem, keyPem);
    await new Promise<void>((resolve) => authority.#server.listen(0, '127.0.0.1', resolve));
    return authority;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('GrpcCertificateAuthority', () => {
  let root: TestAuthority;
  let otherRoot: TestAuthority;
  before(async () => {
    root = await TestAuthority.create();
    otherRoot = await TestAuthority.create({ name: 'another root' });
  });

  function client(
    url: string,
    options: Partial<GrpcCertificateAuthorityOptions> = {},
    files: { roots?: string; token?: string } = {},
  ): { authority: GrpcCertificateAuthority; files: { roots: string; token: string } } {
    const current = { roots: root.rootPem, token: 'token-one', ...files };
    const deps = { readRoots: () => Promise.resolve(current.roots), readToken: () => Promise.resolve(current.token) };
    return { authority: new GrpcCertificateAuthority({ url, clusterId: 'cl-1', ...options }, deps), files: current };
  }

  function sign(authority: GrpcCertificateAuthority, signal = never): Promise<{ readonly chain: readonly string[] }> {
    return bounded(authority.sign('csr', id, 86_400, signal), 'answer');
  }

  function refusal(authority: GrpcCertificateAuthority, signal = never): Promise<string> {
    return sign(authority, signal).then(
      () => 'signed',
      (error: Error) => error.message,
    );
  }

  it('sends request, impersonated identity, token, cluster and extra headers', async () => {
    await using server = await FakeAuthority.start(root);
    const { authority } = client(server.url, { headers: { 'x-ca': 'two' } });
    using _ = authority;
    expect(await sign(authority)).to.deep.equal({ chain: ['leaf', 'root'] });
    const [seen] = server.seen;
    expect(seen?.request).to.deep.include({ csr: 'csr', validityDuration: 86_400n, metadata: { ImpersonatedIdentity: id } });
    const headers = ['authorization', 'clusterid', 'x-ca', 'content-type'].map((name) => seen?.headers.get(name));
    expect(headers).to.deep.equal(['Bearer token-one', 'cl-1', 'two', 'application/grpc+proto']);
  });

  it('names no identity for a caller that may have its own only', async () => {
    await using server = await FakeAuthority.start(root);
    const { authority } = client(server.url, { impersonates: false });
    using _ = authority;
    await sign(authority);
    expect(server.seen[0]?.request.metadata).to.equal(undefined);
  });

  it('reads the token anew for each request, on one connection', async () => {
    await using server = await FakeAuthority.start(root);
    const { authority, files } = client(server.url);
    using _ = authority;
    await sign(authority);
    files.token = 'token-two';
    await sign(authority);
    expect(server.seen.map(({ headers }) => headers.get('authorization'))).to.deep.equal([
      'Bearer token-one',
      'Bearer token-two',
    ]);
    expect(server.sessions.size).to.equal(1);
  });

  it('connects anew when the roots have changed', async () => {
    await using server = await FakeAuthority.start(root);
    const { authority, files } = client(server.url);
    using _ = authority;
    await sign(authority);
    files.roots = `${root.rootPem}\n${otherRoot.rootPem}`;
    await sign(authority);
    expect(server.sessions.size).to.equal(2);
    files.roots = otherRoot.rootPem;
    expect(await refusal(authority))
      .to.include('did not sign')
      .and.to.include(id);
    expect(server.seen.length).to.equal(2);
  });

  it('closes a connection nobody uses', async () => {
    await using server = await FakeAuthority.start(root);
    const { authority } = client(server.url, { idleMs: 20 });
    using _ = authority;
    await sign(authority);
    const [session] = server.sessions;
    await bounded(new Promise((resolve) => session?.once('close', resolve)), 'closed');
  });

  it('does not talk to a server that is not the one named', async () => {
    await using server = await FakeAuthority.start(root, { dnsNames: ['elsewhere.example'] });
    const { authority } = client(server.url);
    using _ = authority;
    expect(await refusal(authority)).to.include('did not sign');
    expect(server.seen).to.deep.equal([]);
  });

  it('accepts one further name', async () => {
    await using server = await FakeAuthority.start(root, { dnsNames: ['elsewhere.example'] });
    const { authority } = client(server.url, { altHostname: 'elsewhere.example' });
    using _ = authority;
    expect((await sign(authority)).chain).to.deep.equal(['leaf', 'root']);
  });

  it('tells what the authority said, without the token', async () => {
    await using server = await FakeAuthority.start(root);
    server.answer = () => Promise.reject(new ConnectError('unknown caller', Code.Unauthenticated));
    const { authority } = client(server.url);
    using _ = authority;
    const message = await refusal(authority);
    expect(message).to.include('Unauthenticated: unknown caller').and.to.include(id);
    expect(message).to.not.include('token-one');
  });

  it('tells that nobody is there', async () => {
    const { authority } = client('https://127.0.0.1:1');
    using _ = authority;
    expect(await refusal(authority))
      .to.include('Unavailable')
      .and.to.include('ECONNREFUSED');
  });

  it('ends when it is given up', async () => {
    await using server = await FakeAuthority.start(root);
    server.answer = () => new Promise(() => {});
    const { authority } = client(server.url);
    using _ = authority;
    const abort = new AbortController();
    const refused = refusal(authority, abort.signal);
    while (server.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    expect(await refused).to.include('Canceled');
  });
});
