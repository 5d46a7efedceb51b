import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { silentLogger } from '@clearmesh/shared/observe/log';
import type { Logger } from '@clearmesh/shared/observe/log';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { SnapshotStore } from '@clearmesh/shared/snapshot/snapshot-store';
import type { DeltaPush } from '@clearmesh/shared/subscribe/delta-push';
import { FakeClock } from '@clearmesh/shared/testing/fake-clock';
import { TemporaryDirectory } from '@clearmesh/shared/testing/temporary-directory';
import { LocalConfiguration } from '../../src/local/local-configuration.ts';
import type { LocalSource } from '../../src/local/local-environment.ts';

const alone = `
workloads: [{ uid: a, name: a, namespace: bank, workloadIps: [10.0.0.1], protocol: HBONE }]`;
const guarded = `
workloads:
- { uid: a, name: a, namespace: bank, workloadIps: [10.0.0.1], protocol: HBONE, authorizationPolicies: [bank/p] }
- { uid: b, name: b, namespace: bank, workloadIps: [10.0.0.2] }
services: [{ name: s, namespace: bank, hostname: s.bank, vips: [/10.96.0.1], ports: { 80: 8080 } }]
policies: [{ name: p, namespace: bank, scope: WorkloadSelector, action: Deny, rules: [] }]`;

describe('LocalConfiguration', () => {
  let directory: TemporaryDirectory;
  let clock: FakeClock;
  let store: SnapshotStore;
  let pushes: DeltaPush[];
  let lines: string[];
  let stale: boolean[];
  let wake: () => void;
  let file: string;

  const logger: Logger = {
    ...silentLogger,
    info: (message) => tell(`info ${message}`),
    error: (message) => tell(`error ${message}`),
  };
  const tell = (line: string): void => {
    lines.push(line);
    wake();
  };

  const open = (source: LocalSource = { kind: 'file', path: file }): Promise<LocalConfiguration> =>
    LocalConfiguration.open(
      { source, clusterId: 'Kubernetes' },
      {
        apply: (push) => {
          pushes.push(push);
          return store.apply(push);
        },
        onReading: (isStale) => stale.push(isStale),
        clock,
        logger,
      },
    );

  /** The file's new text, and what is logged once it was seen. */
  const replace = async (text: string): Promise<string> => {
    lines = [];
    pushes = [];
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
    return look();
  };

  const look = async (): Promise<string> => {
    const logged = new Promise<void>((resolve) => (wake = resolve));
    clock.advance(2_000);
    await logged;
    return lines.join('\n');
  };

  /** What each push was about, in short. */
  const told = (): readonly string[] =>
    pushes.map(({ typeUrl, upserts, removed }) =>
      [typeUrl.split('.').at(-1), ...upserts.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' '),
    );

  beforeEach(async () => {
    directory = await TemporaryDirectory.create();
    file = join(directory.path, 'mesh.yaml');
    clock = new FakeClock();
    store = new SnapshotStore({ clusterId: 'Kubernetes' }, { clock, logger: silentLogger });
    pushes = [];
    lines = [];
    stale = [];
    wake = () => {};
  });

  afterEach(() => directory[Symbol.asyncDispose]());

  it('is in the snapshot when it is open', async () => {
    await writeFile(file, guarded);
    using _local = await open();
    expect(store.current.workloadByPod('bank', 'a', 'default')?.tunnelProtocol).to.equal('HBONE');
    expect(told()).to.deep.equal(['Authorization +bank/p', 'Address +bank/s.bank +a +b']);
  });

  it('can be the text itself', async () => {
    using _local = await open({ kind: 'text', text: alone });
    expect(store.current.workloadByPod('bank', 'a', 'default')?.uid).to.equal('a');
    expect(clock.pendingTimers).to.equal(0);
  });

  it('pushes what differs, policies before the workloads that list them', async () => {
    await writeFile(file, alone);
    using _local = await open();
    expect(await replace(guarded)).to.match(/info local configuration read/);
    expect(told()).to.deep.equal(['Authorization +bank/p', 'Address +bank/s.bank +a +b']);
  });

  it('removes what is gone, policies after the workloads that listed them', async () => {
    await writeFile(file, guarded);
    using _local = await open();
    await replace(alone);
    expect(told()).to.deep.equal(['Address +a -bank/s.bank -b', 'Authorization -bank/p']);
    expect(store.current.workloadByPod('bank', 'b', 'default')).to.equal(undefined);
  });

  it('pushes nothing when only the words changed', async () => {
    await writeFile(file, alone);
    using _local = await open();
    await replace(`# the same\n${alone}`);
    expect(told()).to.deep.equal([]);
  });

  it('keeps the last good one when a new one cannot be used, and says why', async () => {
    await writeFile(file, alone);
    using _local = await open();
    expect(await replace(alone.replace('10.0.0.1', '10.0.0'))).to.match(
      /last good one keeps serving.*\n.*mesh\.yaml:2:\d+: workloads\[0\]\.workloadIps\[0\].*"10\.0\.0"/,
    );
    expect(told()).to.deep.equal([]);
    expect(store.current.workloadByPod('bank', 'a', 'default')?.uid).to.equal('a');
    expect(stale).to.deep.equal([false, true]);
  });

  it('keeps the last good one when the file is gone, and takes the next', async () => {
    await writeFile(file, alone);
    using _local = await open();
    lines = [];
    await rm(file);
    expect(await look()).to.match(/error the local configuration .*it is not there/);
    expect(store.current.workloadByPod('bank', 'a', 'default')?.uid).to.equal('a');
    expect(await replace(guarded)).to.match(/info local configuration read/);
    expect(stale).to.deep.equal([false, true, false]);
  });

  const unusable: readonly [string, string | undefined, RegExp][] = [
    ['that is not there', undefined, /mesh\.yaml: it is not there/],
    [
      'with problems, and names each',
      'workloads: [{ uid: a }, { uid: 1 }]',
      /problem\(s\):.*workloads\[0\]\.namespace.*workloads\[1\]\.uid/s,
    ],
  ];
  for (const [what, text, message] of unusable) {
    it(`does not open with a file ${what}`, async () => {
      if (text !== undefined) await writeFile(file, text);
      const error = await open().catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(MeshError);
      expect((error as MeshError).code).to.equal('MESH-CONFIG-001');
      expect((error as MeshError).message).to.match(message);
      expect(told()).to.deep.equal([]);
      expect(clock.pendingTimers).to.equal(0);
    });
  }

  it('looks no more once it is disposed of', async () => {
    await writeFile(file, alone);
    const local = await open();
    local[Symbol.dispose]();
    expect(clock.pendingTimers).to.equal(0);
  });
});
