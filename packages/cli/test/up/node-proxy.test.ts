import { expect } from 'chai';
import { describe, it } from 'mocha';
import { proxyEnvironment } from '../../src/up/node-proxy.ts';
import type { NodeProxyOptions } from '../../src/up/node-proxy.ts';

const options: NodeProxyOptions = {
  command: ['node'],
  node: { name: 'node-a', namespacePath: '/run/netns/x', ip: '10.200.0.1', podCidr: '10.244.1.0/24' },
  podName: 'ztunnel-node-a',
  podNamespace: 'clearmesh-system',
  serviceAccount: 'ztunnel',
  controlPlaneUrl: 'https://10.200.0.9:15012',
  rootCertificate: '/w/root-cert.pem',
  tokenFile: '/w/token',
  handoverSocket: '/w/zds.sock',
};

describe('proxyEnvironment', () => {
  it('tells the proxy its node, its control plane, and where its token and socket are', () => {
    const env = proxyEnvironment(options);
    expect(env).to.include({
      XDS_ADDRESS: 'https://10.200.0.9:15012',
      CA_ADDRESS: 'https://10.200.0.9:15012',
      XDS_ROOT_CA: '/w/root-cert.pem',
      AUTH_TOKEN: '/w/token',
      INPOD_UDS: '/w/zds.sock',
      NODE_NAME: 'node-a',
      POD_NAME: 'ztunnel-node-a',
      INSTANCE_IP: '10.200.0.1',
      LOG_FORMAT: 'json',
    });
  });

  it('asks for a lifetime of certificates only when it is told one', () => {
    expect(proxyEnvironment(options)).not.to.have.property('SECRET_TTL');
    expect(proxyEnvironment({ ...options, certificateLifetime: '40s' })).to.include({ SECRET_TTL: '40s' });
  });
});
