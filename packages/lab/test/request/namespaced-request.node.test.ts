import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { requestFrom } from '../../src/request/namespaced-request.ts';
import type { NamespacedRequest, NamespacedResponse } from '../../src/request/namespaced-request.ts';

// Entering a namespace needs root, also when it is the one we are in.
const here = '/proc/self/ns/net';

describe('requestFrom', () => {
  const server = http.createServer((request, response) => {
    if (request.url === '/silent') return;
    if (request.url === '/echo') return void request.pipe(response);
    if (request.url === '/cut')
      return void response.writeHead(200, { 'content-length': '10' }).end('half', () => request.socket.destroy());
    response.writeHead(request.url === '/missing' ? 404 : 200, {
      'x-method': request.method,
      'x-echo': request.headers['x-say'] ?? '',
    });
    response.end(request.url === '/long' ? 'x'.repeat(1000) : 'body');
  });
  let port: number;
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const request = (change: Partial<NamespacedRequest>): Promise<NamespacedResponse> =>
    requestFrom(here, { ip: '127.0.0.1', port, path: '/', ...change });

  async function failure(change: Partial<NamespacedRequest>): Promise<MeshError> {
    const error = await request(change).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError).with.property('code', 'MESH-LAB-001');
    return error as MeshError;
  }

  it('gives status, headers and body', async () => {
    const { status, headers, body } = await request({ path: '/missing', method: 'POST', headers: { 'x-say': 'hello' } });
    expect([status, headers['x-method'], headers['x-echo'], body]).to.deep.equal([404, 'POST', 'hello', 'body']);
  });

  it('sends a body', async () => {
    expect((await request({ path: '/echo', method: 'POST', body: '{"amount":"1 €"}' })).body).to.equal('{"amount":"1 €"}');
  });

  it('fails in time when no answer comes, naming the request', async () => {
    expect((await failure({ path: '/silent', timeoutMs: 50 })).message).to.include(
      `GET http://127.0.0.1:${port}/silent from ${here}`,
    );
  });

  it('fails when nobody listens, when the answer is cut, and when the body is too long', async () => {
    expect((await failure({ port: 1 })).message).to.include('ECONNREFUSED');
    await failure({ path: '/cut' });
    expect((await failure({ path: '/long', maxBodyBytes: 999 })).message).to.include('longer than 999 bytes');
    expect((await request({ path: '/long', maxBodyBytes: 1000 })).body).to.have.length(1000);
  });

  it('fails when its signal aborts, or the namespace does not exist', async () => {
    await failure({ signal: AbortSignal.abort() });
    const error = await requestFrom('/run/netns/none', { ip: '127.0.0.1', port, path: '/' }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'MESH-LAB-001');
  });
});
