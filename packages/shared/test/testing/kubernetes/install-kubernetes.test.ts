import { expect } from 'chai';
import { describe, it } from 'mocha';
import { moduleFile } from '../../../src/testing/kubernetes/install-kubernetes.ts';

const kubernetes = `module k8s.io/kubernetes

go 1.26.0

require (
	github.com/coreos/go-oidc v2.5.0+incompatible
	k8s.io/api v0.0.0
	k8s.io/kubelet v0.0.0
	k8s.io/utils v0.0.0-20260319190234-28399d86e0b5
)
`;

describe('moduleFile', () => {
  const lines = moduleFile(kubernetes).split('\n');

  it('puts the staging modules, and them only, at the version that goes with Kubernetes', () => {
    const replaced = lines.filter((line) => line.startsWith('replace '));
    expect(replaced).to.have.length(2);
    expect(replaced[0]).to.match(/^replace k8s\.io\/api => k8s\.io\/api v0\.37\.\d+$/);
    expect(replaced[1]).to.match(/^replace k8s\.io\/kubelet => k8s\.io\/kubelet v0\.37\.\d+$/);
  });

  it('asks for the Go that Kubernetes asks for', () => {
    expect(lines).to.include('go 1.26.0');
  });
});
