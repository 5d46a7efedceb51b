import { expect } from 'chai';
import { describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { getFromPod } from '../../src/proxy/port-forward.ts';
import { ForwardingPeer } from './forwarding-peer.ts';
import type { Behaviour } from './forwarding-peer.ts';

const at = { namespace: 'clearmesh-system', pod: 'ztunnel-x', port: 15_000 };

async function ask(behaviour: Behaviour, maxBytes?: number): Promise<{ answer: unknown; asked: readonly string[] }> {
  await using peer = await ForwardingPeer.start(behaviour);
  const limit = maxBytes === undefined ? {} : { maxBytes };
  const answer = await getFromPod(peer.kubeConfig, at, '/config_dump', AbortSignal.timeout(10_000), limit).catch(
    (error: unknown) => error,
  );
  return { answer, asked: peer.asked };
}

describe('getFromPod', () => {
  it('asks the port of the pod, and puts an answer of many pieces together', async () => {
    const pieces = ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 300\r\n\r\n', 'x'.repeat(140), 'y'.repeat(160)];
    const { answer, asked } = await ask({ kind: 'answers', pieces });
    expect([answer, asked]).to.deep.equal([
      'x'.repeat(140) + 'y'.repeat(160),
      ['/api/v1/namespaces/clearmesh-system/pods/ztunnel-x/portforward?ports=15000', 'GET /config_dump'],
    ]);
  });

  for (const [name, behaviour, message] of [
    [
      'a port that nobody listens on',
      { kind: 'fails', error: 'connection refused' },
      /15000 of pod clearmesh-system\/ztunnel-x cannot be asked: connection refused/,
    ],
    ['a forward that is refused', { kind: 'refuses', status: 403 }, /cannot be asked: Unexpected server response: 403/],
    [
      'another answer than 200',
      { kind: 'answers', pieces: ['HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno'] },
      /answers \/config_dump with 404 no/,
    ],
    [
      'an answer without an end',
      { kind: 'answers', pieces: [`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(100)}`] },
      /longer than 50 bytes/,
    ],
  ] as const) {
    it(`tells of ${name}`, async () => {
      const { answer } = await ask(behaviour, 50);
      expect(answer).to.be.instanceOf(MeshError).with.property('code', 'MESH-KUBE-001');
      expect((answer as MeshError).message).to.match(message);
    });
  }
});
