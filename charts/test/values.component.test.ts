import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { chartSchemas } from '../schema/charts.ts';
import { schemaText } from '../schema/schema-text.ts';
import { chartNames, chartPath, render, renderAttempt } from './helm.ts';
import type { ChartName } from './helm.ts';

/** Chart, what is set, and the sentence that says what is wrong with it. */
const refusals: readonly (readonly [ChartName, string, string])[] = [
  ['control-plane', 'replcas=2', "additional properties 'replcas' not allowed"],
  ['control-plane', 'replicas=0', "at '/replicas': minimum: got 0, want 1"],
  ['control-plane', 'replicas=two', "at '/replicas': got string, want integer"],
  ['control-plane', 'global.logLevel=verbose', "at '/global/logLevel': value must be one of 'debug', 'info', 'warn', 'error'"],
  ['control-plane', 'global.hub=Registry Bank', "at '/global/hub': 'Registry Bank' does not match pattern"],
  ['control-plane', 'global.typo=x', "at '/global': additional properties 'typo' not allowed"],
  ['control-plane', 'defaultMtls=DISABLE', "at '/defaultMtls': value must be one of 'STRICT', 'PERMISSIVE'"],
  ['control-plane', 'trustedNodeAccounts={ztunnel}', "at '/trustedNodeAccounts/0': 'ztunnel' does not match pattern"],
  ['control-plane', 'resources.requests.memry=1Gi', "at '/resources/requests': additional properties 'memry' not allowed"],
  ['control-plane', 'resources.requests.memory=lots', "at '/resources/requests/memory'"],
  ['control-plane', 'env.A=1', "at '/env/A': got number, want string"],
  [
    'control-plane',
    'replicas=2,podDisruptionBudget.minAvailable=2',
    'podDisruptionBudget.minAvailable is 2 of 2 replicas: no node with a control plane on it could ever be drained. Set it to 1 or less.',
  ],
  [
    'control-plane',
    'autoscaling.enabled=true,autoscaling.minReplicas=6',
    'autoscaling.minReplicas is 6, above autoscaling.maxReplicas, 5. Exchange them, or raise the second.',
  ],
  ['node-agent', 'cni.binDir=opt/cni/bin', "at '/cni/binDir': 'opt/cni/bin' does not match pattern"],
  ['node-agent', 'cni.confName=/etc/cni/net.d/10.conf', "at '/cni/confName'"],
  ['node-agent', 'rules=ebtables', "at '/rules': value must be one of 'auto', 'nft', 'iptables'"],
  ['node-agent', 'updateStrategy.maxUnavailable=many', "at '/updateStrategy/maxUnavailable'"],
  ['node-agent', 'settleMilliseconds=1s', "at '/settleMilliseconds': got string, want integer"],
  ['node-agent', 'settleMilliseconds=60001', "at '/settleMilliseconds': maximum: got 60,001, want 60,000"],
  ['ztunnel', 'xdsAddress=http://control-plane:15010', "at '/xdsAddress'"],
  ['ztunnel', 'certificateTtl=a day', "at '/certificateTtl': 'a day' does not match pattern"],
  ['ztunnel', 'compliancePolicy=fips-140-2', "at '/compliancePolicy': value must be one of '', 'pqc'"],
  ['ztunnel', 'terminationGracePeriodSeconds=0', "at '/terminationGracePeriodSeconds': minimum: got 0, want 1"],
  [
    'ztunnel',
    'updateStrategy.maxSurge=0',
    'updateStrategy.maxSurge and updateStrategy.maxUnavailable are both 0: no ztunnel could ever be replaced. Raise one of them.',
  ],
  [
    'ztunnel',
    'updateStrategy.maxUnavailable=1',
    'updateStrategy.maxSurge is 1 and updateStrategy.maxUnavailable is 1: a DaemonSet takes one of them only. Set the other one to 0.',
  ],
  ['base', 'webhook.failurePolicy=Warn', "at '/webhook/failurePolicy': value must be one of 'Fail', 'Ignore'"],
  ['base', 'webhook.timeoutSeconds=31', "at '/webhook/timeoutSeconds': maximum: got 31, want 30"],
  ['waypoint', 'name=none', 'a waypoint cannot be called none: istio.io/use-waypoint: none means that there is none.'],
  ['waypoint', 'name=Ledger', "at '/name': 'Ledger' does not match pattern"],
  ['waypoint', 'trafficType=services', "at '/trafficType': value must be one of 'service', 'workload', 'all', 'none'"],
  [
    'waypoint',
    'enrol.namespaces={cards}',
    'enrol.namespaces names cards, but allowedRoutes.from is Same: a waypoint in ledger would refuse its traffic. Set allowedRoutes.from to All, or to Selector.',
  ],
  [
    'waypoint',
    'allowedRoutes.selector.matchLabels.domain=ledger',
    'allowedRoutes.selector is set, but allowedRoutes.from is Same, which does not look at it. Set allowedRoutes.from to Selector.',
  ],
  [
    'waypoint',
    'allowedRoutes.from=Selector',
    'allowedRoutes.from is Selector, but allowedRoutes.selector is empty, which selects every namespace.',
  ],
  ['waypoint', 'podDisruptionBudget.minAvailable=2', 'podDisruptionBudget.minAvailable is 2 of 2 replicas'],
  ['clearmesh', 'profile=production', "additional properties 'profile' not allowed"],
  ['clearmesh', 'ztunel.ipv6=false', "additional properties 'ztunel' not allowed"],
  ['clearmesh', 'ztunnel.ipv7=false', "additional properties 'ipv7' not allowed"],
];

describe('values that are wrong', function () {
  this.timeout(240_000);

  for (const [chart, set, sentence] of refusals) {
    it(`are refused by ${chart}: ${set}`, async () => {
      const { status, stderr } = await renderAttempt(chart, ['--set', set], 'ledger');
      expect(stderr).to.contain(sentence);
      expect(status).not.to.equal(0);
    });
  }
});

/** Values, variables of the environment beside them, and which of the two are told to disagree; none where all is well. */
const namings: readonly (readonly [string, string, (readonly [string, string])?])[] = [
  ['node-agent.dnsCapture=true,ztunnel.dnsProxy=false', '', ['dnsCapture', 'dnsProxy']],
  ['node-agent.dnsCapture=true', 'ztunnel.env.ISTIO_META_DNS_CAPTURE=False', ['dnsCapture', 'env.ISTIO_META_DNS_CAPTURE']],
  ['ztunnel.dnsProxy=false', 'node-agent.env.DNS_CAPTURE=true', ['env.DNS_CAPTURE', 'dnsProxy']],
  ['node-agent.dnsCapture=true', ''],
  ['ztunnel.dnsProxy=false', ''],
  ['', 'ztunnel.env.ISTIO_META_DNS_CAPTURE=false'],
  ['node-agent.dnsCapture=true,ztunnel.dnsProxy=false', 'node-agent.env.DNS_CAPTURE=false'],
  ['node-agent.dnsCapture=true,ztunnel.dnsProxy=false', 'ztunnel.env.ISTIO_META_DNS_CAPTURE=true'],
  ['node-agent.dnsCapture=true', 'ztunnel.env.LOG_FORMAT=json'],
];

describe('a mesh whose pods ask ztunnel for names', function () {
  this.timeout(240_000);

  for (const [values, variables, disagreement] of namings) {
    it(`is ${disagreement === undefined ? 'taken' : 'refused'} with ${values || 'no values'} and ${variables || 'no variables'}`, async () => {
      const { status, stderr } = await renderAttempt('clearmesh', ['--set', values, '--set-string', variables]);
      expect(status === 0).to.equal(disagreement === undefined);
      if (disagreement === undefined) return;
      const [capture, proxy] = disagreement;
      expect(stderr).to.match(new RegExp(`node-agent\\.${capture} is true, but ztunnel\\.${proxy} is false: no pod would`, 'i'));
    });
  }
});

describe('a ztunnel that asks for the mesh on demand', function () {
  this.timeout(240_000);

  it('is refused with its DNS proxy, which needs the whole mesh, and taken without it', async () => {
    const onDemand = ['--set-string', 'env.XDS_ON_DEMAND=true'];
    const { stderr } = await renderAttempt('ztunnel', onDemand);
    expect(stderr).to.contain('env.XDS_ON_DEMAND is true, and so is dnsProxy');
    expect((await renderAttempt('ztunnel', [...onDemand, '--set', 'dnsProxy=false'])).status).to.equal(0);
    const variables = `${onDemand[1]},env.ISTIO_META_DNS_CAPTURE=false`;
    expect((await renderAttempt('ztunnel', ['--set-string', variables])).status).to.equal(0);
  });
});

describe('the values of the charts', function () {
  this.timeout(240_000);

  for (const chart of chartNames) {
    it(`of ${chart} have the schema that schema/ says (npm run schemas)`, async () => {
      const schema = await readFile(`${chartPath(chart)}/values.schema.json`, 'utf8');
      expect(schema).to.equal(schemaText(chartSchemas[chart] ?? {}));
    });

    it(`of ${chart} agree on what is global`, async () => {
      const { global } = parse(await readFile(`${chartPath(chart)}/values.yaml`, 'utf8')) as { readonly global: unknown };
      const shared = parse(await readFile(chartPath('shared/global-values.yaml'), 'utf8')) as { readonly global: unknown };
      expect(stringify(global)).to.equal(stringify(shared.global));
    });
  }

  it('that are global reach every part', async () => {
    const text = await render('clearmesh', ['--set', 'global.hub=registry.bank.example/mesh,global.tag=9.9.9']);
    const images = new Set([...text.matchAll(/image: (\S+)/g)].map(([, image]) => image));
    expect([...images]).to.have.members(
      ['control-plane', 'node-agent', 'ztunnel'].map((name) => `registry.bank.example/mesh/${name}:9.9.9`),
    );
  });
});
