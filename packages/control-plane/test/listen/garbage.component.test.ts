/** What arrives from the network never ends the process, and never gets in anybody's way. */
import { connect as connectHttp2 } from 'node:http2';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClientHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { node, RunningControlPlane } from '../fixtures/running-control-plane.ts';

const discovery = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const certificates = '/istio.v1.auth.IstioCertificateService/CreateCertificate';

/** Still answers an honest proxy. */
async function isAlive(running: RunningControlPlane): Promise<void> {
  const peer = await running.discover({ pod: { name: 'honest', uid: crypto.randomUUID() } });
  peer.send({ node, typeUrl: ADDRESS_TYPE_URL });
  expect(await peer.next()).not.to.equal(undefined);
  peer.reset();
}

function session(running: RunningControlPlane): ClientHttp2Session {
  const opened = connectHttp2(running.url, { ca: running.rootPem });
  opened.on('error', () => {});
  return opened;
}

/** Status and gRPC status of one raw request. */
async function ask(opened: ClientHttp2Session, headers: Record<string, string>, body: Uint8Array): Promise<readonly unknown[]> {
  const stream = opened.request({ ':method': 'POST', 'content-type': 'application/grpc+proto', te: 'trailers', ...headers });
  let status: unknown;
  let grpcStatus: unknown;
  stream.on('response', (got) => {
    status = got[':status'];
    grpcStatus ??= got['grpc-status'];
  });
  stream.on('trailers', (got) => {
    grpcStatus = got['grpc-status'];
  });
  stream.on('error', () => {});
  stream.resume();
  stream.end(body);
  await once(stream, 'close', { signal: AbortSignal.timeout(5000) });
  return [status, grpcStatus];
}

async function tls(
  running: RunningControlPlane,
  protocols: string[],
  max: 'TLSv1.3' | 'TLSv1.2' = 'TLSv1.3',
): Promise<TLSSocket> {
  const socket = connectTls({
    port: running.plane.address.port,
    host: '127.0.0.1',
    ca: running.rootPem,
    ALPNProtocols: protocols,
    maxVersion: max,
  });
  await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5000) });
  socket.on('error', () => {});
  return socket;
}

describe('the TLS port', () => {
  it('survives bytes that are no TLS, and connections cut at any moment', async () => {
    await using running = await RunningControlPlane.start();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(1000), '\x16\x03\x01\xff\xff', '']) {
      const socket = connectTcp(running.plane.address.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.end(Buffer.from(bytes, 'latin1'));
      socket.resume();
      await once(socket, 'close', { signal: AbortSignal.timeout(5000) });
    }
    await isAlive(running);
  });

  it('survives bytes that are no HTTP/2 within TLS', async () => {
    await using running = await RunningControlPlane.start();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\xff'.repeat(2000)]) {
      const socket = await tls(running, ['h2']);
      socket.write(Buffer.from(bytes, 'latin1'));
      socket.resume();
      await once(socket, 'close', { signal: AbortSignal.timeout(5000) });
    }
    await isAlive(running);
  });

  it('speaks TLS 1.3 only, and shows a certificate for its address', async () => {
    await using running = await RunningControlPlane.start();
    const socket = await tls(running, ['h2']);
    expect(socket.getProtocol()).to.equal('TLSv1.3');
    expect(socket.alpnProtocol).to.equal('h2');
    const names = String(socket.getPeerCertificate().subjectaltname);
    const service = 'DNS:clearmesh-control-plane.clearmesh-system';
    expect(names).to.equal(`${service}.svc, ${service}.svc.cluster.local, ${service}, DNS:localhost, IP Address:127.0.0.1`);
    socket.destroy();
    const old = await tls(running, ['h2'], 'TLSv1.2').catch((error: unknown) => error);
    expect(old).to.be.instanceOf(Error);
  });

  const authority = (running: RunningControlPlane): string => `127.0.0.1:${running.plane.address.port}`;

  it('answers unusable requests without serving them', async () => {
    await using running = await RunningControlPlane.start();
    const bearer = { authorization: `Bearer ${await running.issuer.token()}` };
    const opened = session(running);
    const table: readonly [Record<string, string>, Uint8Array, readonly unknown[]][] = [
      [{ ':path': '/' }, Buffer.alloc(0), [404, undefined]],
      [{ ':path': `${certificates}/x` }, Buffer.alloc(0), [404, undefined]],
      [{ ':path': certificates, ':authority': 'host:99999999' }, Buffer.alloc(0), [400, undefined]],
      [{ ':path': certificates }, Buffer.alloc(0), [200, '16']],
      [{ ':path': certificates, ...bearer, 'content-type': 'text/plain' }, Buffer.alloc(0), [415, undefined]],
      [{ ':path': certificates, ...bearer }, Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]), [200, '13']],
      [{ ':path': certificates, ...bearer }, Buffer.from([0, 0, 0, 0, 9, 1]), [200, '3']],
      [{ ':path': certificates, ...bearer }, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), [200, '8']],
      [{ ':path': certificates, ...bearer, 'grpc-encoding': 'gzip' }, Buffer.from([1, 0, 0, 0, 1, 1]), [200, '12']],
      [{ ':path': discovery, ...bearer }, Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]), [200, '0']],
      [{ ':path': discovery, ...bearer }, Buffer.alloc(0), [200, '0']],
    ];
    for (const [headers, body, expected] of table) {
      const answer = await ask(opened, { ':authority': authority(running), ...headers }, body);
      expect(answer, JSON.stringify({ ...headers, authorization: '' })).to.deep.equal(expected);
    }
    opened.destroy();
    await isAlive(running);
  });

  it('frees streams that are reset while they are served', async () => {
    await using running = await RunningControlPlane.start();
    const bearer = `Bearer ${await running.issuer.token()}`;
    for (let i = 0; i < 20; i++) {
      const opened = session(running);
      const stream = opened.request({
        ':method': 'POST',
        ':path': discovery,
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: bearer,
      });
      stream.on('error', () => {});
      stream.write(Buffer.from([0, 0, 0, 0, 0]));
      if (i % 2 === 0) await once(opened, 'connect');
      opened.destroy();
    }
    await isAlive(running);
    const late = AbortSignal.timeout(5000);
    while (!(await running.metrics()).includes('clearmesh_discovery_clients 0\n')) late.throwIfAborted();
  });
});
