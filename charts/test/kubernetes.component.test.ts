import { ApiServer } from '@clearmesh/shared/testing/kubernetes/api-server';
import { installDefinitions } from '@clearmesh/shared/testing/kubernetes/custom-resources';
import { TestAuthority } from '@clearmesh/shared/testing/test-authority';
import { expect } from 'chai';
import { chartPath, helm, render } from './helm.ts';
import type { ChartName, HelmResult } from './helm.ts';
import { istioObjects } from './istio-objects.ts';
import { objectsIn, podOf, textOf } from './objects.ts';
import type { KubernetesObject, Workload } from './objects.ts';
import { rendered, renders } from './renders.ts';
import { rights, system } from './rights.ts';

/** Definitions of the kinds of clearmesh.io. */
const ownKinds = `${chartPath('base')}/files/crds`;

describe('the charts and a real API server', function () {
  this.timeout(240_000);
  let api: ApiServer;

  before(async () => {
    api = await ApiServer.start();
    for (const name of [system, 'ledger', 'cards', 'strict']) await api.kubectl(['create', 'namespace', name]);
    await api.kubectl(['label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted']);
  });
  after(() => api[Symbol.asyncDispose]());

  const install = (chart: ChartName, args: readonly string[] = [], namespace = system): Promise<HelmResult> =>
    helm(['install', chart, chartPath(chart), '--namespace', namespace, '--kubeconfig', api.kubeconfigPath, ...args]);
  const canI = async (account: string, ...question: readonly string[]): Promise<boolean> => {
    const [namespace, name] = account.split('/');
    const as = `--as=system:serviceaccount:${namespace}:${name}`;
    const answer = await api.kubectl(['auth', 'can-i', ...question, as]).catch((error: unknown) => String(error));
    return answer.trim() === 'yes';
  };

  describe('before the Gateway API is there', () => {
    it('say what is missing, and how to do without', async () => {
      const { status, stderr } = await install('clearmesh', ['--dry-run=server']);
      expect(stderr)
        .to.contain('the Gateway API is not installed in this cluster')
        .and.to.contain('gatewayClasses.install=false');
      expect(status).not.to.equal(0);
    });

    it('install without classes of waypoints, and bring the kinds of policies that the cluster lacks', async () => {
      const less = ['--set', 'gatewayClasses.install=false,webhook.enabled=false,crds.keep=false'];
      const { status, stderr } = await install('base', [...less, '--wait']);
      expect(stderr).to.equal('');
      expect(status).to.equal(0);
      await api.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd/authorizationpolicies.security.istio.io']);
      await api.apply(textOf([{ ...policy, apiVersion: 'security.istio.io/v1beta1' }]));
      const read = await api.kubectl(['get', 'authorizationpolicies.v1.security.istio.io', '-n', 'ledger', '-o', 'name']);
      expect(read.trim()).to.equal('authorizationpolicy.security.istio.io/nobody');
      const wrong = { ...policy, spec: { action: 'Deny' } };
      expect(await api.apply(textOf([wrong])).catch(String)).to.contain('spec.action: Unsupported value: "Deny"');
      await helm(['uninstall', 'base', '--namespace', system, '--kubeconfig', api.kubeconfigPath, '--wait']);
    });
  });

  describe('with the Gateway API and Istio’s kinds', () => {
    before(() => installDefinitions(api));

    describe('and our own', () => {
      before(() => api.applyFile(ownKinds));
      // The chart does not take over what it did not make.
      after(() => api.kubectl(['delete', '-f', ownKinds]));

      for (const each of renders) {
        it(`render "${each.name}" to objects that the server takes`, async () => {
          const objects = objectsIn(await rendered(each)).filter(isKnown);
          const answer = await api.kubectl(
            ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', '-'],
            textOf(objects),
          );
          expect(answer.trim().split('\n')).to.have.length(objects.length);
        });
      }
    });

    it('make pods for the control plane that Pod Security "restricted" takes', async () => {
      const made = [
        await render('control-plane', [], 'strict'),
        await render('waypoint', ['--set', 'enrol.namespaces={strict}'], 'strict'),
      ];
      const pods = made.flatMap((text) => objectsIn(text)).flatMap((object) => podsIn(object));
      expect(pods).to.have.length(4);
      await api.kubectl(['apply', '--server-side', '--dry-run=server', '-f', '-'], textOf(pods));
    });

    it('leave Istio’s own kinds as they are', async () => {
      const { stdout } = await install('base', ['--dry-run=server']);
      expect(stdout).to.contain('name: clearmesh-validator').and.not.to.contain('name: authorizationpolicies.security.istio.io');
    });

    it('say that a namespace is too strict for node proxies', async () => {
      for (const chart of ['node-agent', 'ztunnel'] as const) {
        const { stderr } = await install(chart, ['--dry-run=server'], 'strict');
        expect(stderr).to.contain('namespace strict enforces Pod Security "restricted"').and.to.contain('enforce=privileged');
      }
    });

    it('refuse to be beside Istio, and name what they found', async () => {
      await api.kubectl(['create', 'namespace', 'istio-system']);
      await api.apply(textOf(istioObjects()));
      const refused = await install('clearmesh', ['--dry-run=server']);
      expect(refused.stderr).to.contain(
        'Istio is installed in this cluster: Deployment istio-system/istiod, DaemonSet istio-system/istio-cni-node, ' +
          'DaemonSet istio-system/ztunnel, GatewayClass istio-waypoint of istio.io/mesh-controller.',
      );
      expect(refused.stderr).to.contain('--set acceptIstio=true');
      const accepted = await install('clearmesh', ['--dry-run=server', '--set', 'acceptIstio=true']);
      expect(accepted.stderr).to.equal('');
      expect(accepted.stdout).to.contain('name: clearmesh-waypoint\n').and.not.to.contain('name: istio-waypoint\n');
      await api.kubectl(['delete', '-f', '-'], textOf(istioObjects()));
    });

    describe('installed', () => {
      before(async () => {
        const { status, stderr } = await install('clearmesh', ['-f', `${chartPath('clearmesh')}/values-production.yaml`]);
        expect(stderr).to.equal('');
        expect(status).to.equal(0);
      });

      it('are upgraded without a word against it', async () => {
        const upgrade = [
          'upgrade',
          'clearmesh',
          chartPath('clearmesh'),
          '--namespace',
          system,
          '--kubeconfig',
          api.kubeconfigPath,
        ];
        const { status, stderr } = await helm(upgrade);
        expect(stderr).to.equal('');
        expect(status).to.equal(0);
      });

      it('keep the authority of the webhook over an upgrade', async () => {
        const authority = Buffer.from((await TestAuthority.create()).rootPem).toString('base64');
        const patch = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: authority }];
        const object = ['validatingwebhookconfiguration', 'clearmesh-validator'];
        await api.kubectl(['patch', ...object, '--type=json', '-p', JSON.stringify(patch)]);
        const upgrade = [
          'upgrade',
          'clearmesh',
          chartPath('clearmesh'),
          '--namespace',
          system,
          '--kubeconfig',
          api.kubeconfigPath,
        ];
        await helm([...upgrade, '--set', 'base.webhook.timeoutSeconds=7']);
        const kept = await api.kubectl([
          'get',
          ...object,
          '-o',
          'jsonpath={.webhooks[0].timeoutSeconds} {.webhooks[0].clientConfig.caBundle}',
        ]);
        expect(kept).to.equal(`7 ${authority}`);
      });

      it('store no policy while nobody can check it, but Gateways', async () => {
        const refused = await api.apply(textOf([policy])).catch((error: unknown) => String(error));
        expect(refused).to.contain('failed calling webhook "policies.clearmesh.io"');
        await api.apply(textOf([gateway]));
      });

      it('let the control plane make waypoints where it may, and nowhere else', async () => {
        const upgrade = [
          'upgrade',
          'clearmesh',
          chartPath('clearmesh'),
          '--namespace',
          system,
          '--kubeconfig',
          api.kubeconfigPath,
        ];
        const controlPlane = `${system}/clearmesh-control-plane`;
        await helm([...upgrade, '--set', 'control-plane.waypoints.namespaces={ledger}']);
        expect(await canI(controlPlane, 'create', 'deployments.apps', '-n', 'ledger')).to.equal(true);
        expect(await canI(controlPlane, 'create', 'deployments.apps', '-n', 'cards')).to.equal(false);
        expect(await canI(controlPlane, 'get', 'configmaps/settings', '-n', 'cards')).to.equal(false);
        expect(await canI(controlPlane, 'watch', 'configmaps', '-n', system)).to.equal(true);
        await helm(upgrade);
      });

      for (const [account, allowed, question] of rights) {
        it(`${allowed ? 'let' : 'do not let'} ${account} ${question}`, async () => {
          expect(await canI(account, ...question.split(' '))).to.equal(allowed);
        });
      }
    });
  });
});

const policy = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'nobody', namespace: 'ledger' },
  spec: {},
};

const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'ledger-waypoint', namespace: 'ledger' },
  spec: { gatewayClassName: 'clearmesh-waypoint', listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
};

function podsIn(object: KubernetesObject): readonly object[] {
  if (object.kind === 'Pod') return [object];
  return object.kind === 'Deployment' || object.kind === 'Job' ? [podOf(object as Workload)] : [];
}

/** Without an operator its kinds are not there. */
function isKnown({ apiVersion }: KubernetesObject): boolean {
  return !apiVersion.startsWith('monitoring.coreos.com/');
}
