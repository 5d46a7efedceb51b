import { expect } from 'chai';
import { describe, it } from 'mocha';
import { configView, workloadStateView } from '../src/admin-view.ts';
import { readConfig } from '../src/config.ts';

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
    const connections = { summaries: (direction: string) => (direction === 'inbound' ? [summary] : []) };
    expect(
      workloadStateView([
        { uid: 'a', info, state: 'Up', pod: { path: { connections } } },
        { uid: 'b', info, state: 'Pending', lastError: 'port taken' },
      ]),
    ).to.deep.equal({
      a: { state: 'Up', connections: { inbound: [summary], outbound: [] }, info },
      b: { state: 'Pending', info, lastError: 'port taken' },
    });
  });
});
