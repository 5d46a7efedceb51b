/**
 * Peers that hold a right certificate and misbehave after the handshake (l4-contract section 2.3), from an address
 * outside the mesh: what they send ends their own connection, within its time, and reaches no application.
 */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { join } from 'node:path';
import { meshAuthority, writeCredentials } from '../harness/credentials.ts';
import type { Credentials } from '../harness/credentials.ts';
import { callHbone } from '../harness/hbone-client.ts';
import { heardDuring } from '../harness/heard.ts';
import { RunningMesh } from '../harness/mesh.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').toString('hex');
const emptySettings = '000000040000000000';
/** A HEADERS frame on stream 1 without END_HEADERS: five bytes of a block that never ends. */
const openHeaders = '0000050100000000018284868741';

describe('a peer with a right certificate', () => {
  let mesh: RunningMesh;
  let credentials: Credentials;

  before(async function () {
    this.timeout(90_000);
    mesh = await RunningMesh.start({ manifests: join(import.meta.dirname, '../manifests') });
    const uris = ['spiffe://cluster.local/ns/bank/sa/client-sa'];
    credentials = await writeCredentials(mesh, await meshAuthority(mesh), 'hostile', { uris });
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  const cases: readonly { readonly name: string; readonly raw: string }[] = [
    { name: 'sends garbage instead of HTTP/2', raw: Buffer.from('GET / HTTP/1.1\r\nhost: bank\r\n\r\n').toString('hex') },
    { name: 'sends half of the preface and no more', raw: preface.slice(0, 24) },
    { name: 'sends no request', raw: preface + emptySettings },
    { name: 'begins a request and never ends its headers', raw: preface + emptySettings + openHeaders },
  ];
  for (const { name, raw } of cases) {
    it(`is closed within its time when it ${name}, and the application sees nothing`, async function () {
      this.timeout(40_000);
      const { ip } = mesh.pod('bank/server');
      const attacker = mesh.pod('outside/attacker').namespacePath;
      let closedAfterMs = 0;
      const { result, heard } = await heardDuring(mesh, async () => {
        const started = performance.now();
        const answer = await callHbone(attacker, { host: ip, ...credentials, raw, timeout: 25 });
        closedAfterMs = performance.now() - started;
        return answer;
      });
      expect(result.closed, JSON.stringify(result)).to.equal(true);
      expect(closedAfterMs).to.be.lessThan(15_000);
      expect(heard).to.deep.equal([]);
      const next = await callHbone(attacker, { host: ip, ...credentials, streams: [{ authority: `${ip}:8080`, body: 'next' }] });
      expect(next.streams[0]).to.include({ status: 200, data: 'next' });
    });
  }
});
