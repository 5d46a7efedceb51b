import { expect } from 'chai';
import { describe, it } from 'mocha';
import { configView, workloadStateView } from '../src/admin-view.ts';
import { readConfig } from '../src/config.ts';
import { servedPod } from './served-pod.ts';

const info = { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' };

describe('configView', () => {
  it('hides a token given literally and shows the path of one', () => {
    expect(configView(readConfig({ NODE_NAME: 'a', AUTH_TOKEN: 'eyJhbGciOi.x.y' }))).to.include({ authToken: '<hidden>' });
    expect(configView(readConfig({ NODE_NAME: 'a', AUTH_TOKEN: '/var/token' }))).to.include({ authToken: '/var/token' });
  });

  it('is plain JSON with the log filter as text', () => {
    const view = configView(readConfig({ NODE_NAME: 'a', RUST_LOG: 'info,access=debug' }));
    expect(JSON.parse(JSON.stringify(view))).to.deep.equal(view);
    expect(view).to.have.deep.property('log', { filter: 'info,access=debug', format: 'plain' });
  });
});

describe('workloadStateView', () => {
  it('shows a served pod with its connections and a pending one with the reason', () => {
    const summary = { src: '10.0.0.1:1', originalDst: null, actualDst: '10.0.0.2:80', protocol: 'TCP' as const };
    const facts = { certificates: [], workloadOf: () => 'Kubernetes//Pod/bank/client' };
    const known = { networkNamespace: '7', workload: 'Kubernetes//Pod/bank/client', certificate: null };
    const view = workloadStateView(
      [
        { uid: 'a', info, inode: 7n, state: 'Up', pod: servedPod({ inbound: [summary] }) },
        { uid: 'b', info, inode: 7n, state: 'Pending', lastError: 'port taken' },
      ],
      facts,
    );
    expect(view).to.have.deep.nested.include({
      'a.state': 'Up',
      'a.connections': { inbound: [summary], outbound: [] },
      'a.info': info,
      'a.status.listeners': [15_001, 15_006, 15_008],
    });
    const status = { ...known, listeners: [], dns: false, lastFailure: { error: 'port taken' } };
    expect(view).to.have.deep.property('b', { state: 'Pending', info, lastError: 'port taken', status });
  });
});
