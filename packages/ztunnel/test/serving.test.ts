import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Readiness } from '@clearmesh/shared/admin/readiness';
import { silentLogger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { FakeRandom } from '@clearmesh/shared/testing/fake-random';
import type { NetworkNamespace } from '@clearmesh/linux/netns';
import type { PodName } from '@clearmesh/shared/snapshot/snapshot';
import type { PodSpec } from '../src/capture/pods.ts';
import { readConfig } from '../src/config.ts';
import { createServing } from '../src/serving.ts';
import type { Serving } from '../src/serving.ts';

const workload = { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'bank/ledger/ledger-sa' };
const node = { NODE_NAME: 'node-a', INPOD_UDS: '/nonexistent/ztunnel.sock' };
const named = { ...node, POD_NAMESPACE: 'clearmesh-system', POD_NAME: 'ztunnel-x', SERVICE_ACCOUNT: 'ztunnel' };

describe('what a proxy serves once it knows the mesh', () => {
  let readiness: Readiness;
  let opened: string[];
  let fatal: MeshError[];
  /** Why nothing can be opened. */
  let failure: string | undefined;
  let serving: Serving;

  beforeEach(() => {
    readiness = new Readiness();
    opened = [];
    fatal = [];
    failure = undefined;
  });
  afterEach(() => serving.end());

  function begin(env: Readonly<Record<string, string>>): void {
    const pods = {
      add: (spec: PodSpec<NetworkNamespace>) => (spec.namespace[Symbol.dispose](), opened.push(spec.uid), failure),
      remove: () => {},
      retain: () => {},
      forgetPendingPod: () => {},
      forgetPending: () => {},
    };
    const openSelf = ({ namespace, name, serviceAccount }: PodName): void => {
      opened.push(`${namespace}/${name}/${serviceAccount}`);
      if (failure !== undefined) throw new MeshError('MESH-CAPTURE-001', { message: failure });
    };
    serving = createServing(readConfig(env), {
      plane: { pods, openSelf },
      readiness,
      log: { scope: () => silentLogger },
      clock: new FakeClock(),
      random: new FakeRandom([0.5]),
      onFatal: (error) => void fatal.push(error),
    });
  }

  it('is one workload, and it is ready when that has its listeners', () => {
    begin(workload);
    expect([opened, readiness.pending]).to.deep.equal([[], ['dns proxy', 'proxy']]);
    serving.begin();
    expect([opened, readiness.pending, fatal]).to.deep.equal([['bank/ledger'], [], []]);
  });

  it('is one workload without a DNS proxy, where that is switched off', () => {
    begin({ ...workload, ISTIO_META_DNS_CAPTURE: 'false' });
    expect(readiness.pending).to.deep.equal(['proxy']);
  });

  it('ends the process where the one workload cannot be served, and says why', () => {
    failure = 'cannot listen on :: port 15001: EADDRINUSE';
    begin(workload);
    serving.begin();
    expect(fatal.map(({ message }) => message)).to.deep.equal([`${failure} [MESH-CAPTURE-001]`]);
    expect(readiness.ready).to.equal(false);
  });

  it('is the proxy’s own pod and those of the node, where it knows its own name', () => {
    begin(named);
    expect([opened, readiness.pending]).to.deep.equal([[], ['workload proxy manager']]);
    serving.begin();
    expect([opened, fatal]).to.deep.equal([['clearmesh-system/ztunnel-x/ztunnel'], []]);
  });

  it('is those of the node only, where it does not', () => {
    begin(node);
    serving.begin();
    expect(opened).to.deep.equal([]);
  });

  it('ends the process where its own port is taken, and dials no node agent', () => {
    failure = 'cannot listen on :: port 15008: EADDRINUSE';
    begin(named);
    serving.begin();
    expect(fatal.map(({ message }) => message)).to.deep.equal([`${failure} [MESH-CAPTURE-001]`]);
  });
});
