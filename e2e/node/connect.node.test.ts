/**
 * Statuses of the HBONE listener (l4-contract sections 2.2, 8.1; recorded answers of `wire/seen.json`), asked by a
 * client independent of Clearmesh with a right certificate.
 */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { join } from 'node:path';
import { meshAuthority, writeCredentials } from '../harness/credentials.ts';
import type { Credentials } from '../harness/credentials.ts';
import { callHbone } from '../harness/hbone-client.ts';
import type { HboneResult } from '../harness/hbone-client.ts';
import { heardDuring } from '../harness/heard.ts';
import { RunningMesh } from '../harness/mesh.ts';

const caller = 'spiffe://cluster.local/ns/bank/sa/client-sa';

/** `IP` stands for the server pod's own address. */
const cases: readonly {
  readonly name: string;
  readonly authority?: string;
  readonly method?: string;
  readonly status: number;
}[] = [
  { name: 'its own address and an open port', authority: 'IP:8080', status: 200 },
  { name: 'a hostname of its service with the service port', authority: 'server.bank.svc.cluster.local:80', status: 200 },
  { name: 'a hostname and a port whose target has a name', authority: 'server.bank.svc.cluster.local:82', status: 200 },
  { name: 'another pod’s address', authority: '10.244.1.77:8080', status: 400 },
  { name: 'an address without a port', authority: 'IP', status: 400 },
  { name: 'an address with an empty port', authority: 'IP:', status: 400 },
  { name: 'a port above 65535', authority: 'IP:70000', status: 400 },
  { name: 'an IPv6 authority on an IPv4 connection', authority: '[fd00::1]:8080', status: 400 },
  { name: 'the service’s VIP without a waypoint', authority: '10.96.1.1:80', status: 400 },
  { name: 'the method GET', authority: 'IP:8080', method: 'GET', status: 400 },
  { name: 'port 0', authority: 'IP:0', status: 503 },
  { name: 'a closed port', authority: 'IP:9', status: 503 },
  { name: 'a port that listens on loopback only', authority: 'IP:8081', status: 503 },
  { name: 'ztunnel’s outbound port', authority: 'IP:15001', status: 503 },
  { name: 'ztunnel’s plaintext port', authority: 'IP:15006', status: 503 },
  { name: 'ztunnel’s HBONE port', authority: 'IP:15008', status: 503 },
  { name: 'a hostname nobody knows', authority: 'nobody.bank.svc.cluster.local:80', status: 503 },
  { name: 'a port its service does not have', authority: 'server.bank.svc.cluster.local:81', status: 503 },
];

describe('a CONNECT on the HBONE listener', () => {
  let mesh: RunningMesh;
  let credentials: Credentials;

  before(async function () {
    this.timeout(90_000);
    mesh = await RunningMesh.start({ manifests: join(import.meta.dirname, '../manifests') });
    credentials = await writeCredentials(mesh, await meshAuthority(mesh), 'caller', { uris: [caller] });
  });
  after(async () => mesh?.[Symbol.asyncDispose]());

  function connect(streams: Parameters<typeof callHbone>[1]['streams']): Promise<HboneResult> {
    const server = mesh.pod('bank/server');
    const own = (streams ?? []).map((stream) => ({
      ...stream,
      ...(stream.authority === undefined ? {} : { authority: stream.authority.replace(/^IP/, server.ip) }),
    }));
    return callHbone(mesh.pod('outside/attacker').namespacePath, { host: server.ip, streams: own, ...credentials });
  }

  for (const one of cases) {
    it(`answers ${one.status} for ${one.name}`, async () => {
      const { status: _, name: __, ...stream } = one;
      const { result, heard } = await heardDuring(mesh, () => connect([{ ...stream, body: 'ping' }]));
      const answer = result.streams[0];
      expect(answer?.status, JSON.stringify(result)).to.equal(one.status);
      if (one.status === 200) {
        expect(answer).to.include({ data: 'ping', ended: true });
      } else {
        expect(answer).to.include({ data: '', ended: true });
        expect(answer?.headers.map(([name]) => name)).to.deep.equal([':status']);
        expect(heard).to.deep.equal([]);
      }
    });
  }

  it('announces the settings of the contract', async () => {
    const result = await connect([{ authority: 'IP:8080', body: 'x' }]);
    expect(result.settings).to.include({ 3: 200, 4: 4_194_304, 5: 1_048_576, 6: 65_536 });
  });

  it('answers with the destination’s baggage', async () => {
    const result = await connect([{ authority: 'IP:8080', body: 'x' }]);
    const baggage = result.streams[0]?.headers.find(([name]) => name === 'baggage')?.[1];
    expect(baggage).to.contain('k8s.namespace.name=bank').and.to.contain('service.name=server');
  });

  it('shows the application the caller’s own address', async () => {
    await connect([{ authority: 'IP:8080', body: 'x' }]);
    const attacker = mesh.pod('outside/attacker').ip;
    await mesh.line((line) => line.process === 'bank/server' && line.line.includes(`"from":"${attacker}"`));
  });

  it('resets a stream whose headers are larger than it takes, and keeps serving others', async () => {
    const result = await connect([{ authority: 'IP:8080', headers: [['baggage', 'k=v,'.repeat(30_000)]] }]);
    expect(result.streams[0]?.status).to.not.equal(200);
    const next = await connect([{ authority: 'IP:8080', body: 'again' }]);
    expect(next.streams[0]).to.include({ status: 200, data: 'again' });
  });

  it('serves 50 streams of one connection, right and wrong ones mixed', async () => {
    const result = await connect(
      Array.from({ length: 50 }, (_, index) => ({ authority: index % 2 === 0 ? 'IP:8080' : 'IP:9', body: `n${index}` })),
    );
    expect(result.streams.map((stream) => stream.status)).to.deep.equal(
      Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 200 : 503)),
    );
  });
});
