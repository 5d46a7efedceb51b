import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { parse } from 'yaml';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import {
  runWaypointApply,
  runWaypointDelete,
  runWaypointGenerate,
  runWaypointList,
  runWaypointStatus,
} from '../../src/commands/waypoint.ts';
import type { ApplyOptions } from '../../src/commands/waypoint.ts';
import { Captured } from './captured-console.ts';

describe('clearmesh waypoint against a cluster', () => {
  let api: ApiServer;
  before(async function () {
    this.timeout(120_000);
    api = await ApiServer.start();
    await installDefinitions(api);
    await api.kubectl(['create', 'namespace', 'ledger']);
  });
  after(() => api[Symbol.asyncDispose]());

  const signal = (): AbortSignal => AbortSignal.timeout(20_000);
  const placed = (): ApplyOptions['place'] => ({
    kind: 'cluster',
    kubeconfig: api.kubeconfigPath,
    systemNamespace: 'clearmesh-system',
  });
  const apply = async (name: string, options: Partial<ApplyOptions> = {}): Promise<Captured> => {
    const captured = new Captured();
    await runWaypointApply(
      { spec: { namespace: 'ledger', name }, place: placed(), enrollNamespace: false, overwrite: false, ...options },
      captured.deps,
      signal(),
    );
    return captured;
  };
  const failure = async (task: Promise<unknown>): Promise<MeshError> => {
    const error = await task.catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MeshError);
    return error as MeshError;
  };
  const label = (): Promise<string> =>
    api.kubectl(['get', 'namespace', 'ledger', '-o', 'jsonpath={.metadata.labels.istio\\.io/use-waypoint}']);
  const list = async (): Promise<string> => {
    const captured = new Captured();
    await runWaypointList({ place: placed(), choice: {}, output: 'table' }, captured.deps, signal());
    return captured.out;
  };
  const status = async (...names: readonly string[]): Promise<readonly [number, string]> => {
    const captured = new Captured();
    const choice = { namespace: 'ledger', names };
    const code = await runWaypointStatus({ place: placed(), choice, output: 'table' }, captured.deps, signal());
    return [code, captured.out + captured.err];
  };

  it('writes a Gateway that an API server takes, and what it prints is the same one', async () => {
    await apply('gate', { spec: { namespace: 'ledger', name: 'gate', traffic: 'all' } });
    const written = JSON.parse(await api.kubectl(['get', 'gateway', '-n', 'ledger', 'gate', '-o', 'json'])) as {
      spec: { gatewayClassName: string; listeners: { protocol: string }[] };
    };
    expect([written.spec.gatewayClassName, written.spec.listeners[0]?.protocol]).to.deep.equal(['clearmesh-waypoint', 'HBONE']);
    const captured = new Captured();
    runWaypointGenerate({ namespace: 'ledger', name: 'gate', traffic: 'all' }, captured.deps);
    expect(parse(captured.out)).to.have.nested.property('metadata.labels').that.deep.equals({ 'istio.io/waypoint-for': 'all' });
    await api.apply(captured.out);
  });

  it('lists it, and says that nobody has made it yet', async () => {
    expect(await list()).to.match(/NAMESPACE +NAME +REVISION +TRAFFIC TYPE +PROGRAMMED\nledger +gate +default +all +Unknown/);
    const [code, text] = await status('gate');
    expect([code, /gate +Unknown +Programmed/.test(text)]).to.deep.equal([1, true]);
  });

  it('is content once the control plane says that it is programmed', async () => {
    const conditions = [
      { type: 'Programmed', status: 'True', reason: 'Programmed', message: 'served', lastTransitionTime: '2026-03-01T12:00:00Z' },
    ];
    await api.kubectl([
      'patch',
      'gateway',
      '-n',
      'ledger',
      'gate',
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status: { conditions } }),
    ]);
    expect((await status('gate'))[0]).to.equal(0);
    await apply('gate', { spec: { namespace: 'ledger', name: 'gate', traffic: 'all' }, waitMs: 5000 });
  });

  it('labels the namespace, and another waypoint takes over only where that is asked for', async () => {
    await apply('gate', { enrollNamespace: true });
    expect(await label()).to.equal('gate');
    expect((await failure(apply('other', { enrollNamespace: true }))).hint).to.include('--overwrite');
    expect(await label()).to.equal('gate');
    await apply('other', { enrollNamespace: true, overwrite: true });
    expect(await label()).to.equal('other');
  });

  it('labels nothing while the waypoint is not programmed in time', async () => {
    const error = await failure(apply('slow', { enrollNamespace: true, overwrite: true, waitMs: 1 }));
    expect([error.message.includes('is not programmed'), await label()]).to.deep.equal([true, 'other']);
  });

  it('leaves a Gateway of another class alone', async () => {
    const listener = { name: 'http', port: 80, protocol: 'HTTP' };
    await api.apply(
      JSON.stringify({
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'Gateway',
        metadata: { name: 'door', namespace: 'ledger' },
        spec: { gatewayClassName: 'edge', listeners: [listener] },
      }),
    );
    expect((await failure(apply('door'))).message).to.include('is of class edge, and no waypoint');
    const options = { place: placed(), namespace: 'ledger', names: ['door'], all: false };
    expect((await failure(runWaypointDelete(options, new Captured().deps, signal()))).message).to.include('is of class edge');
  });

  it('deletes those that are named, all of a namespace, and says which was not there', async () => {
    const remove = (names: readonly string[], all = false): Promise<number> =>
      runWaypointDelete({ place: placed(), namespace: 'ledger', names, all }, new Captured().deps, signal());
    expect([await remove(['gate']), await remove(['gate'])]).to.deep.equal([0, 1]);
    expect([await remove([], true), await list()]).to.deep.equal([0, '']);
    expect((await failure(remove([]))).message).to.include('no waypoint is named');
  });

  for (const [name, message] of [
    ['none', /cannot be called none/],
    ['Gate', /is no name/],
  ] as const) {
    it(`refuses the name ${name}`, async () => expect((await failure(apply(name))).message).to.match(message));
  }
});
