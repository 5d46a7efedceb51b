import { expect } from 'chai';
import { describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { readConfig } from '../src/config.ts';

const dedicated = { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'bank/ledger-0/ledger-sa' };
const self = { POD_NAMESPACE: 'clearmesh-system', POD_NAME: 'ztunnel-x', SERVICE_ACCOUNT: 'ztunnel' };

describe('whom a proxy serves', () => {
  it('is the node’s pods, unless it is told otherwise', () => {
    expect(readConfig({ NODE_NAME: 'node-a' }).mode).to.deep.equal({ kind: 'shared' });
  });

  it('is its own pod too, where it knows name, namespace and account of that', () => {
    expect(readConfig({ NODE_NAME: 'node-a', ...self }).mode).to.deep.equal({
      kind: 'shared',
      self: { namespace: 'clearmesh-system', name: 'ztunnel-x', serviceAccount: 'ztunnel' },
    });
  });

  for (const missing of Object.keys(self))
    it(`is not its own pod without ${missing}`, () => {
      expect(readConfig({ NODE_NAME: 'node-a', ...self, [missing]: '' }).mode).to.deep.equal({ kind: 'shared' });
    });

  it('is one workload, of which it takes its own name, and needs neither node nor mark', () => {
    const { mode, node, capture } = readConfig(dedicated);
    expect(mode).to.deep.equal({
      kind: 'dedicated',
      workload: { namespace: 'bank', name: 'ledger-0', serviceAccount: 'ledger-sa' },
    });
    expect(node).to.include({ name: '', podName: 'ledger-0', podNamespace: 'bank' });
    expect(capture).not.to.have.property('packetMark');
  });

  it('marks the packets of one workload where that is asked for', () => {
    expect(readConfig({ ...dedicated, PACKET_MARK: '0x539' }).capture.packetMark).to.equal(1337);
  });

  const wrong = [
    '',
    'bank',
    'bank/ledger',
    'bank//ledger-sa',
    'bank/ledger/sa/more',
    'bank/../sa',
    'bank/led ger/sa',
    'Bank/ledger/sa',
  ];
  for (const info of wrong)
    it(`cannot be the workload ${JSON.stringify(info)}, and that is said with what to set`, () => {
      expect(() => readConfig({ ...dedicated, PROXY_WORKLOAD_INFO: info }))
        .to.throw(MeshError, /PROXY_WORKLOAD_INFO=.*set it to NAMESPACE\/NAME\/SERVICEACCOUNT/)
        .with.property('code', 'MESH-CONFIG-003');
    });
});
