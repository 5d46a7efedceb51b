import { createHash, randomBytes } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import type { WorkloadCertificate } from '../../src/certificates/workload-certificate.ts';
import { systemClock } from '../../src/lifecycle/clock.ts';
import { createMeshContext } from '../../src/tls/mesh-context.ts';
import { meshTlsParameters } from '../../src/tls/parameters.ts';
import { FramedEngine } from '../../src/tunnel/framed-engine.ts';
import { NodeHttp2Engine } from '../../src/tunnel/node-http2-engine.ts';
import { readAll } from './compliance/rig.ts';
import { authorities, certificateOf, client, openBed, server, streamOf } from './tunnel-bed.ts';

const policy = { tls12: true, keyExchange: 'any' } as const;

/** A peer that never learned TLS 1.3. */
async function oldClient(): Promise<WorkloadCertificate> {
  const authority = await authorities();
  const { certPem, keyPem } = await authority.issue({ uris: [client] });
  const offer = { ...meshTlsParameters(policy), maxVersion: 'TLSv1.2' } as const;
  const context = createSecureContext({ ...offer, cert: certPem, key: keyPem, ca: authority.rootPem });
  const certificate = await certificateOf(authority, client, { uris: [client] });
  return { ...certificate, clientContext: context };
}

async function tolerantServer(): Promise<WorkloadCertificate> {
  const authority = await authorities();
  const { certPem, keyPem } = await authority.issue({ uris: [server] });
  const context = createMeshContext({ chain: [certPem], keyPem, roots: [authority.rootPem] }, policy);
  return { ...(await certificateOf(authority, server, { uris: [server] })), serverContext: context };
}

const engines = {
  framed: () => new FramedEngine({ clock: systemClock }),
  node: () => new NodeHttp2Engine({ clock: systemClock }),
} as const;

describe('tunnels over TLS 1.2', () => {
  for (const name of ['framed', 'node'] as const) {
    it(`carry every byte between two proven identities, by the engine ${name}`, async () => {
      const [old, tolerant] = await Promise.all([oldClient(), tolerantServer()]);
      await using bed = await openBed({
        engine: engines[name](),
        acceptorEngine: engines[name](),
        clientCertificates: { get: () => Promise.resolve(old) },
        certificates: { get: () => Promise.resolve(tolerant) },
      });
      const sent = randomBytes(3 * 1024 * 1024);
      const stream = streamOf(await bed.dial());
      stream.end(sent);
      const echoed = await readAll(stream);
      const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
      expect(sha(echoed)).to.equal(sha(sent));
      const [request] = bed.requests;
      expect(request?.peer.identity).to.equal(client);
      expect(request?.peer.tls).to.include({ protocol: 'TLSv1.2', cipher: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
    });
  }

  it('do not come about with a server that has not been told of it', async () => {
    const old = await oldClient();
    await using bed = await openBed({ clientCertificates: { get: () => Promise.resolve(old) } });
    expect((await bed.dial()).kind).not.to.equal('open');
    expect(bed.requests).to.deep.equal([]);
  });
});
