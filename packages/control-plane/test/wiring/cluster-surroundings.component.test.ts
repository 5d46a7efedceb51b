/** The whole control plane around an API server, which is a small one. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { systemRandom } from '@clearmesh/shared/lifecycle/random';
import { parseIp } from '@clearmesh/shared/model/ip-address';
import { createLogger } from '@clearmesh/shared/observe/log';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { IstioCertificateService } from '@clearmesh/shared/wire/gen/ca/ca_pb';
import { ControlPlane } from '../../src/control-plane.ts';
import { ApiPeer } from '../fixtures/api-peer.ts';
import { namespaceObject, pathOf, podObject, policyObject, serveAll } from '../fixtures/cluster-objects.ts';
import { DiscoveryPeer, node } from '../fixtures/running-control-plane.ts';
import { signingRequest } from '../fixtures/signing-requests.ts';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { TokenIssuer } from '../fixtures/token-issuer.ts';
import type { PeerObject } from '../fixtures/api-peer.ts';

const loopback = parseIp('127.0.0.1')!;
const secrets = '/api/v1/secrets';
const configMaps = '/api/v1/configmaps';
const leases = '/apis/coordination.k8s.io/v1/leases';

/** Everything that a control plane asks of an API server. */
async function clusterPeer(): Promise<ApiPeer> {
  const peer = await ApiPeer.start();
  serveAll(peer);
  for (const collection of [secrets, configMaps, leases]) peer.serve(collection);
  for (const name of ['clearmesh-system', 'bank']) peer.put(pathOf('Namespace'), namespaceObject(name));
  peer.put(pathOf('Pod'), podObject('ledger', '10.0.0.1', { account: 'ledger' }));
  peer.put(pathOf('Pod'), podObject('elsewhere', '10.0.0.2', { account: 'far', node: 'node-b' }));
  peer.always('tokenreviews', (_call, response) => void response.end(JSON.stringify({ status: ztunnelReview })));
  return peer;
}

const ztunnelReview = {
  authenticated: true,
  audiences: ['istio-ca'],
  user: {
    username: 'system:serviceaccount:clearmesh-system:ztunnel',
    groups: ['system:serviceaccounts'],
    extra: {
      'authentication.kubernetes.io/pod-name': ['ztunnel-a'],
      'authentication.kubernetes.io/pod-uid': ['uid-ztunnel-a'],
      'authentication.kubernetes.io/node-name': ['node-a'],
    },
  },
};

class Running implements AsyncDisposable {
  readonly #temporary: TemporaryDirectory;
  readonly #sessions: Http2SessionManager[] = [];
  readonly plane: ControlPlane;
  readonly log: readonly string[];

  private constructor(temporary: TemporaryDirectory, plane: ControlPlane, log: readonly string[]) {
    this.#temporary = temporary;
    this.plane = plane;
    this.log = log;
  }

  static async start(peer: ApiPeer, podName: string): Promise<Running> {
    const temporary = await TemporaryDirectory.create();
    const kubeconfig = join(temporary.path, 'kubeconfig');
    await writeFile(kubeconfig, peer.kubeConfig.exportConfig());
    const log: string[] = [];
    const plane = await ControlPlane.start(
      {
        setting: { kind: 'kubernetes', kubeconfig, podName },
        listen: { ip: loopback, port: 0 },
        clusterId: 'Kubernetes',
        trustDomain: 'cluster.local',
        rootNamespace: 'clearmesh-system',
        defaultMtls: 'STRICT',
        requirePermissiveExpiry: true,
        trustedNodeAccounts: ['clearmesh-system/ztunnel'],
        admin: { ip: loopback, port: 0 },
      },
      {
        clock: systemClock,
        random: systemRandom,
        logger: createLogger('control-plane', { level: 'debug', format: 'json', write: (line) => void log.push(line) }),
      },
      AbortSignal.timeout(10_000),
    );
    return new Running(temporary, plane, log);
  }

  transport(ca: string): ReturnType<typeof createGrpcTransport> {
    const baseUrl = `https://127.0.0.1:${this.plane.address.port}`;
    const sessionManager = new Http2SessionManager(baseUrl, {}, { ca, ALPNProtocols: ['h2'] });
    this.#sessions.push(sessionManager);
    return createGrpcTransport({ baseUrl, sessionManager });
  }

  admin(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.plane.adminAddress?.port}${path}`);
  }

  ready(): Promise<void> {
    return this.answers('/healthz/ready', (status) => status === 200);
  }

  /** Waits for an answer that fits, for at most five seconds. */
  async answers(path: string, fits: (status: number, text: string) => boolean): Promise<void> {
    const late = AbortSignal.timeout(5000);
    for (;;) {
      const response = await this.admin(path);
      const text = await response.text();
      if (fits(response.status, text)) return;
      if (late.aborted) throw new Error(`no such answer; last: ${response.status} ${text}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.abort();
    await this.plane[Symbol.asyncDispose]();
    await this.#temporary[Symbol.asyncDispose]();
  }
}

function rootIn(peer: ApiPeer): string {
  const { data } = (peer.get(configMaps, 'bank/istio-ca-root-cert') ?? {}) as {
    readonly data?: Readonly<Record<string, string>>;
  };
  return data?.['root-cert.pem'] ?? '';
}

function holder(peer: ApiPeer): string {
  const { spec } = (peer.get(leases, 'clearmesh-system/clearmesh-status') ?? {}) as {
    readonly spec?: { readonly holderIdentity: string };
  };
  return spec?.holderIdentity ?? '';
}

/** Secrets as a server keeps them: what was written as text is read as base64. */
function encodeSecrets(peer: ApiPeer): void {
  peer.always(`${secrets.replace('/secrets', '')}/namespaces/clearmesh-system/secrets`, ({ method, path, body }, response) => {
    const key = `clearmesh-system/${method === 'POST' ? (body as PeerObject).metadata.name : path.split('/').at(-1)}`;
    if (method === 'POST') {
      const { stringData, ...secret } = body as PeerObject & { readonly stringData: Readonly<Record<string, string>> };
      const data = Object.entries(stringData).map(([name, text]) => [name, Buffer.from(text).toString('base64')]);
      peer.put(secrets, { ...secret, data: Object.fromEntries(data) });
    }
    const stored = peer.get(secrets, key);
    response.writeHead(stored === undefined ? 404 : 200).end(JSON.stringify(stored ?? { reason: 'NotFound' }));
  });
}

describe('a control plane around a cluster', () => {
  it('certifies and tells proxies by the word of the API server, and writes roots and statuses', async () => {
    await using peer = await clusterPeer();
    encodeSecrets(peer);
    const policies = pathOf('AuthorizationPolicy');
    peer.put(policies, policyObject('bad', { action: 'DENNY' }));
    await using running = await Running.start(peer, 'cp-0');
    await running.ready();
    await peer.until(() => rootIn(peer) !== '', 'the root');
    const authorization = `Bearer ${await (await TokenIssuer.create()).token()}`;
    const discovery = new DiscoveryPeer(running.transport(rootIn(peer)), authorization);
    discovery.send({ node, typeUrl: ADDRESS_TYPE_URL });
    const names = (await discovery.next())?.resources.map(({ name }) => name);
    expect(names).to.have.members(['Kubernetes//Pod/bank/ledger', 'Kubernetes//Pod/bank/elsewhere']);
    const client = createClient(IstioCertificateService, running.transport(rootIn(peer)));
    const certify = async (account: string): Promise<number | string> => {
      const metadata = { ImpersonatedIdentity: `spiffe://cluster.local/ns/bank/sa/${account}` };
      const request = { csr: await signingRequest(), metadata };
      return client.createCertificate(request, { headers: { authorization } }).then(
        ({ certChain }) => certChain.length,
        (error: unknown) => String(error),
      );
    };
    expect(await certify('ledger')).to.equal(2);
    expect(await certify('far')).to.contain('unauthenticated');
    const status = (): string => JSON.stringify(peer.get(policies, 'bank/bad')?.['status'] ?? '');
    await peer.until(() => status().includes('Did you mean DENY?'), 'the status');
    const shown = (await (await running.admin('/status')).json()) as { readonly watches: object; readonly report: object };
    expect(shown.report).to.deep.include({ serving: 'last-good' });
    expect(shown.watches).to.deep.include({ Pod: { kind: 'synced' } });
  });

  it('is served by every replica, written to by one, and handed over in order', async () => {
    await using peer = await clusterPeer();
    encodeSecrets(peer);
    const first = await Running.start(peer, 'cp-0');
    await peer.until(() => holder(peer).startsWith('cp-0_'), 'a leader');
    await using second = await Running.start(peer, 'cp-1');
    await first.ready();
    await second.ready();
    expect(second.log.some((line) => line.includes('a new root was made'))).to.equal(false);
    expect(holder(peer)).to.match(/^cp-0_/);
    await first.plane.drain();
    expect((await first.admin('/healthz/ready')).status).to.equal(503);
    await first[Symbol.asyncDispose]();
    expect(holder(peer)).to.equal('');
    await peer.until(() => holder(peer).startsWith('cp-1_'), 'another leader');
  });

  it('says what it waits for while the API server does not answer in full', async () => {
    await using peer = await clusterPeer();
    encodeSecrets(peer);
    peer.always(pathOf('Pod'), (_call, response) => void response.writeHead(403).end('{"message":"no right"}'));
    await using running = await Running.start(peer, 'cp-0');
    const waits = 'no valid configuration yet; waiting for Pod (403 no right)\n';
    await running.answers('/healthz/ready', (status, text) => status === 503 && text === waits);
    expect(running.log.filter((line) => line.includes('may not be read'))).to.have.length(1);
  });
});
