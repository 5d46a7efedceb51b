import { expect } from 'chai';
import { describe, it } from 'mocha';
import { podEnvironment } from '../../src/up/pod-environment.ts';

describe('podEnvironment', () => {
  it('fills the fields of the pod in beside the written values, which win over injected ones', () => {
    const env = podEnvironment(
      {
        key: 'ledger/ledger-0',
        namespace: 'ledger',
        name: 'ledger-0',
        nodeName: 'node-b',
        serviceAccount: 'books',
        labels: {},
        container: {
          command: ['x'],
          env: { URL: 'u' },
          envFromFields: {
            IP: 'status.podIP',
            NODE: 'spec.nodeName',
            SA: 'spec.serviceAccountName',
            UID: 'metadata.uid',
            NS: 'metadata.namespace',
          },
          workingDir: '.',
          namedPorts: {},
        },
        enrolled: false,
        redirection: {},
        terminating: false,
        graceSeconds: 30,
      },
      { uid: 'u-1', ip: '10.244.1.2', scratch: '/tmp/u-1' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://traces:4318', URL: 'injected' },
    );
    expect(env).to.deep.equal({
      HOSTNAME: 'ledger-0',
      TMPDIR: '/tmp/u-1',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://traces:4318',
      URL: 'u',
      IP: '10.244.1.2',
      NODE: 'node-b',
      SA: 'books',
      UID: 'u-1',
      NS: 'ledger',
    });
  });
});
