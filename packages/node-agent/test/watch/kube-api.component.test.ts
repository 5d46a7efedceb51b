import { KubeConfig } from '@kubernetes/client-node';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { FakeKubeServer } from '../kubernetes/fake-kube-server.ts';
import { HttpKubeApi, KubeFailure } from '../../src/watch/kube-api.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

describe('HttpKubeApi', () => {
  let kube: FakeKubeServer;
  let api: HttpKubeApi;

  beforeEach(async () => {
    kube = await FakeKubeServer.listen();
    const config = new KubeConfig();
    config.loadFromString(kube.kubeconfig);
    api = new HttpKubeApi(config);
    kube.put('namespaces', { metadata: { name: 'bank' } });
    kube.put('pods', { metadata: { name: 'a', namespace: 'bank', uid: 'u' }, spec: { nodeName: 'n1' } });
  });
  afterEach(() => kube[Symbol.asyncDispose]());

  const path = '/api/v1/namespaces/bank/pods/a';

  it('gets, and patches what is still the same object', async () => {
    const patch = (uid: string): Promise<void> =>
      api.mergePatch(`${path}/status`, { metadata: { uid, annotations: { mark: 'x' } } }, soon());
    await patch('u');
    expect(await api.get(path, soon())).to.have.nested.property('metadata.annotations.mark', 'x');
    expect(await patch('other').catch((error: unknown) => error)).to.include({ name: 'KubeFailure', status: 409 });
  });

  it('says what the server said when it refuses', async () => {
    const error = await api.get('/api/v1/namespaces/none', soon()).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(KubeFailure).with.property('status', 404);
    expect((error as Error).message).to.equal('/api/v1/namespaces/none: not found (404)');
  });

  it('tells a server that is not there from one that refuses', async () => {
    await kube[Symbol.asyncDispose]();
    const error = await api.get(path, soon()).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(KubeFailure).with.property('status', undefined);
    expect((error as Error).message).to.include('127.0.0.1');
  });

  it('follows events until the server ends the stream', async () => {
    const seen: string[] = [];
    const following = (async () => {
      for await (const { type, object } of api.watch('/api/v1/pods?watch=1&resourceVersion=3', soon()))
        seen.push(`${type} ${(object as { metadata: { name: string } }).metadata.name}`);
    })();
    await kube.until(() => kube.requests.includes('GET /api/v1/pods'));
    kube.put('pods', { metadata: { name: 'b', namespace: 'bank', uid: 'v' } });
    kube.remove('pods', 'bank/b');
    kube.endWatches();
    await following;
    expect(seen).to.deep.equal(['ADDED b', 'DELETED b']);
  });

  it('gives up when told to, with the reason it was given', async () => {
    kube.hangs = () => true;
    const given = new Error('enough');
    const stop = new AbortController();
    const asked = api.get(path, stop.signal).catch((error: unknown) => error);
    await kube.until(() => kube.requests.length > 0);
    stop.abort(given);
    expect(await asked).to.equal(given);
  });

  it('refuses a configuration without a server', () => {
    expect(() => new HttpKubeApi(new KubeConfig())).to.throw(MeshError, 'names no usable server');
  });
});
