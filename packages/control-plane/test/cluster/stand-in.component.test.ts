/** A control plane that is restarted around a real API server, with policies there that it cannot read. */
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { evaluate } from '@clearmesh/shared/policy/evaluate';
import { decodeAuthorization } from '@clearmesh/shared/wire/authorization';
import { AUTHORIZATION_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { call } from '../fixtures/derivation.ts';
import { textOf } from './charts.ts';
import { RestartedControlPlane } from './restarted-control-plane.ts';

const teller = 'cluster.local/ns/branches/sa/teller';
/** Denies addresses that the caller of the tests has not; with a block that is none it cannot be read. */
const policy = (name: string, block: string, attachment: object = {}): object => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name, namespace: 'bank' },
  spec: { ...attachment, action: 'DENY', rules: [{ from: [{ source: { ipBlocks: [block] } }] }] },
});
const targetRefs = [{ kind: 'Service', name: 'ledger' }];
const both = (block: string): string => textOf([policy('at-pods', block), policy('at-ledger', block, { targetRefs })]);

describe('a control plane that is restarted with policies that it cannot read', function () {
  this.timeout(120_000);
  let plane: RestartedControlPlane;

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    plane = await RestartedControlPlane.create();
    await plane.server.apply(both('192.0.2.0/24'));
    await plane.restart();
  });

  after(() => plane[Symbol.asyncDispose]());

  const status = (name: string) => (): Promise<string> => plane.status('authorizationpolicy', name, '-n', 'bank');

  /** What a ztunnel that starts now would say of a call to a pod of the bank. */
  async function atPods(): Promise<string> {
    const value = (await plane.asZtunnel(AUTHORIZATION_TYPE_URL)).get('bank/at-pods');
    if (value === undefined) return 'no policy';
    const decoded = decodeAuthorization(value);
    if (decoded.kind === 'rejected') return decoded.reason;
    const verdict = evaluate([decoded.policy], call(teller));
    return `${decoded.policy.scope}: ${verdict.kind}${'policy' in verdict ? ` by ${verdict.policy}` : ''}`;
  }

  /** What a waypoint that starts now is told to enforce. */
  async function atLedger(): Promise<string> {
    const { services, policies } = await plane.asWaypoint();
    const told = services.flatMap(({ authorization }) => authorization.map((key) => policies.authorization[key]));
    return told.map((each) => `${each?.key}: ${each?.action} ${JSON.stringify(each?.rules)}`).join(', ');
  }

  const writtenRule = '[{"from":[{"ipBlocks":["192.0.2.0/24"]}]}]';

  it('enforces them as written while it can read them, and goes on with that when it no longer can', async () => {
    await plane.eventually(atPods, (text) => text === 'NAMESPACE: allow');
    expect(await atLedger()).to.equal(`AuthorizationPolicy bank/at-ledger: DENY ${writtenRule}`);
    await plane.server.apply(both('192.0.2.0/99'));
    for (const name of ['at-pods', 'at-ledger'])
      await plane.eventually(status(name), (text) => text.includes('192.0.2.0/99') && text.includes('last valid version stays'));
    expect(await atPods()).to.equal('NAMESPACE: allow');
    expect(await atLedger()).to.equal(`AuthorizationPolicy bank/at-ledger: DENY ${writtenRule}`);
  });

  it('refuses whatever they are for after the restart, and says so', async () => {
    await plane.restart();
    await plane.eventually(atPods, (text) => text === 'NAMESPACE: deny by bank/at-pods');
    expect(await atLedger()).to.equal('AuthorizationPolicy bank/at-ledger: DENY [{}]');
    const found =
      'spec.rules[0].from[0].source.ipBlocks[0] must be an IP address or a block of them (found \\"192.0.2.0/99\\"). ';
    const remedy = 'Write an address or a block, such as 10.0.0.0/8 or fd00::/16. ';
    const pods = await plane.eventually(status('at-pods'), (text) => text.includes('Everybody'));
    expect(pods).to.contain(`${found}${remedy}Everybody is refused in namespace bank until it is mended.`);
    expect(pods).to.contain('"type":"ZtunnelAccepted"');
    const ledger = await plane.eventually(status('at-ledger'), (text) => text.includes('Everybody'));
    expect(ledger).to.contain('Everybody is refused at Service ledger until it is mended.');
    expect(ledger).to.contain('"type":"WaypointAccepted"');
    const report = await plane.page();
    expect(report.rejections.map(({ object, effect }) => `${object}: ${effect}`)).to.have.members([
      'AuthorizationPolicy bank/at-pods: Everybody is refused in namespace bank until it is mended.',
      'AuthorizationPolicy bank/at-ledger: Everybody is refused at Service ledger until it is mended.',
    ]);
    expect(await plane.metrics()).to.contain('\nclearmesh_configuration_stand_ins 2\n');
    expect(plane.toldOf).to.have.members(['at-pods', 'at-ledger'].map((name) => `AuthorizationPolicy bank/${name}`));
  });

  it('enforces them as written once they are mended', async () => {
    await plane.server.apply(both('192.0.2.0/24'));
    await plane.eventually(atPods, (text) => text === 'NAMESPACE: allow');
    expect(await atLedger()).to.equal(`AuthorizationPolicy bank/at-ledger: DENY ${writtenRule}`);
    await plane.eventually(status('at-pods'), (text) => text.includes('enforced by the node proxies'));
  });
});
