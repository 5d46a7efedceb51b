import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { identity, workload } from '@clearmesh/shared/testing/builders';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { startAdminServer } from '../../src/admin/admin-server.ts';
import type { LogControl } from '@clearmesh/shared/admin/operator-routes';
import type { CertificateStatus } from '../../src/admin/certificate-dump.ts';
import { HttpEndpoint } from '@clearmesh/shared/admin/http-endpoint';
import { Metrics } from '../../src/admin/metrics.ts';
import { startReadinessServer } from '@clearmesh/shared/admin/readiness-server';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import { startStatsServer } from '@clearmesh/shared/admin/stats-server';
import { snapshotOf } from '@clearmesh/shared/testing/pushes';

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

const loopback = { ips: ['127.0.0.1'], port: 0 };

function portOf(endpoint: HttpEndpoint): number {
  return endpoint.addresses[0]?.port ?? 0;
}

function ask(
  endpoint: HttpEndpoint,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = request(
    { host: '127.0.0.1', port: portOf(endpoint), path, method, headers, signal: AbortSignal.timeout(3_000) },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    },
  );
  asked.on('error', reject).end();
  return promise;
}

/** Writes raw bytes and gives back everything until the server closes. */
function raw(endpoint: HttpEndpoint, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(portOf(endpoint), '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => (received += chunk.toString()));
  socket.on('error', () => {});
  socket.on('close', () => resolve(received));
  socket.write(text);
  return promise;
}

class FakeLogControl implements LogControl {
  level = 'info';

  set(level: string): boolean {
    if (!/^[a-z=,]+$/.test(level)) return false;
    this.level = level;
    return true;
  }

  reset(): void {
    this.level = 'info';
  }
}

describe('readiness server', () => {
  it('tells what is pending, then that it is ready (seen bodies)', async () => {
    const readiness = new Readiness();
    await using server = await startReadinessServer(loopback, { readiness, logger: silentLogger });
    const [synced, snapshot] = [readiness.task('state manager'), readiness.task('workload proxy manager')];
    const pending = await ask(server, '/healthz/ready');
    expect([pending.status, pending.body.toString()]).to.deep.equal([
      500,
      'not ready, pending: state manager, workload proxy manager\n',
    ]);
    synced();
    snapshot();
    const ready = await ask(server, '/healthz/ready');
    expect([ready.status, ready.body.toString(), ready.headers.connection, ready.headers['content-type']]).to.deep.equal([
      200,
      'ready\n',
      'close',
      'text/plain',
    ]);
  });

  it('answers 404 elsewhere', async () => {
    await using server = await startReadinessServer(loopback, { readiness: new Readiness(), logger: silentLogger });
    for (const path of ['/', '/metrics', '/healthz/ready/', '/__proto__', '//', '/%zz'])
      expect((await ask(server, path)).status, path).to.equal(404);
  });
});

describe('stats server', () => {
  const metrics = new Metrics({ version: '0.1.0' }, { clock: new FakeClock() });

  it('serves text on both paths', async () => {
    await using server = await startStatsServer(loopback, { registry: metrics.registry, logger: silentLogger });
    for (const path of ['/metrics', '/stats/prometheus']) {
      const { status, headers, body } = await ask(server, path);
      expect([status, headers['content-type'], headers.vary]).to.deep.equal([
        200,
        'text/plain; version=0.0.4; charset=utf-8',
        'accept-encoding',
      ]);
      expect(body.toString()).to.include('istio_build{component="ztunnel",tag="0.1.0"} 1');
    }
  });

  it('serves OpenMetrics, gzipped, to who asks for it', async () => {
    await using server = await startStatsServer(loopback, { registry: metrics.registry, logger: silentLogger });
    const { headers, body } = await ask(server, '/metrics', {
      headers: { accept: 'application/openmetrics-text;version=1.0.0', 'accept-encoding': 'gzip' },
    });
    expect([headers['content-type'], headers['content-encoding']]).to.deep.equal([
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
      'gzip',
    ]);
    expect(gunzipSync(body).toString()).to.match(
      /# TYPE workload_manager_proxies_started counter\nworkload_manager_proxies_started_total 0\n[^]*\n# EOF\n$/,
    );
    expect((await ask(server, '/metrics')).body.toString()).to.include('# TYPE workload_manager_proxies_started_total counter');
  });
});

describe('admin server', () => {
  const log = new FakeLogControl();
  let quits = 0;
  let server: HttpEndpoint;
  let certificate: CertificateStatus;

  before(async () => {
    const authority = await TestAuthority.create();
    const issued = await authority.issue({ uris: [identity('bank', 'client-sa')] });
    certificate = {
      identity: identity('bank', 'client-sa'),
      state: 'Available',
      chain: [issued.certPem],
      roots: [authority.rootPem],
    };
    server = await startAdminServer(loopback, {
      snapshot: () => snapshotOf({ workloads: [workload()] }),
      certificates: () => [certificate],
      pods: () => [{ uid: 'uid-client', listeners: [15_001] }],
      workloadState: () => ({
        'uid-client': {
          state: 'Up',
          connections: { inbound: [], outbound: [] },
          info: { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' },
        },
      }),
      config: () => ({ network: 'net-1' }),
      version: '0.1.0',
      log,
      clock: new FakeClock(),
      quit: () => void quits++,
      logger: silentLogger,
    });
  });

  after(() => server[Symbol.asyncDispose]());

  it('dumps everything under upstream’s keys', async () => {
    const { status, headers, body } = await ask(server, '/config_dump');
    const json = JSON.parse(body.toString()) as Record<string, unknown>;
    expect([status, headers['content-type']]).to.deep.equal([200, 'application/json']);
    expect(Object.keys(json).sort()).to.deep.equal([
      'certificates',
      'config',
      'policies',
      'services',
      'stagedServices',
      'staticConfig',
      'version',
      'workloadState',
      'workloads',
    ]);
    expect(json['workloadState']).to.have.nested.property('uid-client.state', 'Up');
    expect(json['workloads']).to.have.nested.property('[0].uid', 'Kubernetes//Pod/bank/client');
  });

  it('tells how each pod fares', async () => {
    const { status, body } = await ask(server, '/pods');
    expect([status, JSON.parse(body.toString())]).to.deep.equal([200, [{ uid: 'uid-client', listeners: [15_001] }]]);
  });

  it('dumps certificates with base64 PEM, decimal serial and times to the second, and no key', async () => {
    const text = (await ask(server, '/config_dump')).body.toString();
    const [entry] = (
      JSON.parse(text) as {
        certificates: readonly { certChain: readonly Record<string, string>[]; identity: string; state: string }[];
      }
    ).certificates;
    const leaf = entry?.certChain[0];
    expect([entry?.identity, entry?.state]).to.deep.equal([identity('bank', 'client-sa'), 'Available']);
    expect(Buffer.from(leaf?.['pem'] ?? '', 'base64').toString()).to.equal(certificate.chain[0]);
    expect(leaf?.['serialNumber']).to.match(/^\d+$/);
    expect(leaf?.['expirationTime']).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(text).to.not.include(Buffer.from('PRIVATE KEY').toString('base64'));
  });

  it('shows, sets and resets the log level', async () => {
    const post = async (path: string): Promise<readonly [number, string]> => {
      const { status, body } = await ask(server, path, { method: 'POST' });
      return [status, body.toString().split('\n')[0] ?? ''];
    };
    expect(await post('/logging')).to.deep.equal([200, 'current log level is info']);
    expect(await post('/logging?level=debug,access=debug')).to.deep.equal([200, 'current log level is debug,access=debug']);
    expect(await post('/logging?level=bad::=x')).to.deep.equal([400, 'Invalid level provided: bad::=x']);
    expect(await post('/logging?reset')).to.deep.equal([200, 'current log level is info']);
    expect((await ask(server, '/logging')).status).to.equal(405);
  });

  it('begins the drain on POST only, after it has answered', async () => {
    expect((await ask(server, '/quitquitquit')).status).to.equal(405);
    expect(quits).to.equal(0);
    const { status, body } = await ask(server, '/quitquitquit', { method: 'POST' });
    expect([status, body.toString(), quits]).to.deep.equal([200, 'shutdown now\n', 1]);
  });

  it('answers 404 for what it does not have', async () => {
    expect((await ask(server, '/nope')).status).to.equal(404);
  });
});

describe('HttpEndpoint', () => {
  const routes = { '/': () => ({ status: 200, body: 'hello\n' }) };

  it('cuts off headers of more than 8 KiB', async () => {
    await using server = await HttpEndpoint.listen({ name: 'test', ...loopback }, routes, { logger: silentLogger });
    expect(await raw(server, `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(9_000)}\r\n\r\n`)).to.equal('');
  });

  it('cuts off headers that do not come within 2 s', async () => {
    await using server = await HttpEndpoint.listen({ name: 'test', ...loopback }, routes, { logger: silentLogger });
    const startedMs = performance.now();
    await raw(server, 'GET / HTTP/1.1\r\nhost: a\r\nx-slow');
    expect(performance.now() - startedMs).to.be.within(1_500, 4_000);
  });

  it('gives the place of who asks and does not read to the next', async () => {
    let asked = 0;
    const body = (): Uint8Array => (asked++ === 0 ? Buffer.alloc(64 * 1024 * 1024) : Buffer.from('hello'));
    await using server = await HttpEndpoint.listen(
      { name: 'test', ...loopback, maxConnections: 1, answerTimeoutMs: 300 },
      { '/': () => ({ status: 200, body: body() }) },
      { logger: silentLogger },
    );
    const reader = connect(portOf(server), '127.0.0.1').on('error', () => {});
    reader.pause().write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const deadlineMs = performance.now() + 3_000;
    const next = async (): Promise<string> => {
      const answer = asked === 0 ? undefined : await ask(server, '/').catch(() => undefined);
      if (answer !== undefined || performance.now() > deadlineMs) return answer?.body.toString() ?? 'no place';
      await new Promise((resolve) => setImmediate(resolve));
      return next();
    };
    expect(await next()).to.equal('hello');
    reader.destroy();
  });

  it('survives bytes that are no HTTP', async () => {
    await using server = await HttpEndpoint.listen({ name: 'test', ...loopback }, routes, { logger: silentLogger });
    expect(await raw(server, '\u0016\u0003\u0001 not http\r\n\r\n')).to.equal('');
    expect((await ask(server, '/')).body.toString()).to.equal('hello\n');
  });

  it('answers 500 when a handler throws', async () => {
    const broken = {
      '/': () => {
        throw new Error('broken');
      },
    };
    await using server = await HttpEndpoint.listen({ name: 'test', ...loopback }, broken, { logger: silentLogger });
    expect((await ask(server, '/')).status).to.equal(500);
  });

  it('listens on IPv6 loopback too, on the same port, where there is one', async () => {
    await using server = await HttpEndpoint.listen({ name: 'test', ips: ['127.0.0.1', '::1'], port: 0 }, routes, {
      logger: silentLogger,
    });
    expect(new Set(server.addresses.map(({ port }) => port)).size).to.equal(1);
  });

  it('fails with a MeshError that names address and port when the port is taken', async () => {
    await using server = await HttpEndpoint.listen({ name: 'test', ...loopback }, routes, { logger: silentLogger });
    const error = await HttpEndpoint.listen({ name: 'stats', ips: ['127.0.0.1'], port: portOf(server) }, routes, {
      logger: silentLogger,
    }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError).with.property('code', 'MESH-CONFIG-003');
    expect(error)
      .to.have.property('message')
      .that.includes(`the stats server cannot listen on 127.0.0.1 port ${portOf(server)}`);
  });

  it('closes open connections when it is disposed of', async () => {
    const server = await HttpEndpoint.listen({ name: 'test', ...loopback }, routes, { logger: silentLogger });
    const hanging = raw(server, 'GET / HTTP/1.1\r\n');
    await ask(server, '/');
    await server[Symbol.asyncDispose]();
    expect(await hanging).to.equal('');
  });
});
