import { expect } from 'chai';
import { describe, it } from 'mocha';
import { gatewayText, modelFrom, namespaceText, serviceText } from '../fixtures/manifest-text.ts';
import type { Canary } from '../../src/derive/waypoint-binding.ts';

const ready = ['ledger/gate-0', 'ledger/next-0'];
const use = { 'istio.io/use-waypoint': 'gate', 'istio.io/use-waypoint-canary': 'next' };

type Seen = { readonly weights: readonly string[]; readonly canary: Canary | undefined; readonly told: readonly string[] };

function seen(weight: string | undefined, gateways: string, labels: Readonly<Record<string, string>> = use): Seen {
  const annotations = weight === undefined ? {} : { 'istio.io/use-waypoint-canary-weight': weight };
  const service = serviceText('a', { labels }).replace('"labels"', `"annotations":${JSON.stringify(annotations)},"labels"`);
  const { services, bindings, waypoints } = modelFrom(`${gateways}${service}`, ready);
  const found = services.find(({ name }) => name === 'a');
  return {
    weights: (found?.weightedWaypoints ?? []).map(({ destination, weight: share }) =>
      destination.kind === 'hostname' ? `${destination.hostname.split('.')[0]} ${share}` : 'an address',
    ),
    canary: found === undefined ? undefined : bindings.services.get(found.key)?.canary,
    told: waypoints.filter((each) => each.services.some(({ key }) => key === found?.key)).map(({ name }) => name),
  };
}

const both = gatewayText('gate') + gatewayText('next');

describe('a canary waypoint', () => {
  const shares: readonly [string | undefined, readonly string[]][] = [
    ['10', ['gate 90', 'next 10']],
    ['0', ['gate 100', 'next 0']],
    ['100', ['gate 0', 'next 100']],
    [undefined, ['gate 100', 'next 0']],
  ];
  for (const [weight, weights] of shares) {
    it(`takes its share: ${weight ?? 'no annotation'}`, () => {
      expect(seen(weight, both)).to.deep.include({ weights, told: ['gate', 'next'] });
    });
  }

  const unused: readonly [string, string, string, RegExp][] = [
    ['whose share is no number', '1e1', both, /no number from 0 to 100/],
    ['whose share is above 100', '101', both, /no number from 0 to 100/],
    ['that is missing', '10', gatewayText('gate'), /not ready, or missing/],
    ['of another class', '10', gatewayText('gate') + gatewayText('next', { className: 'acme' }), /not ready, or missing/],
    [
      'for workloads alone',
      '10',
      gatewayText('gate') + gatewayText('next', { labels: { 'istio.io/waypoint-for': 'workload' } }),
      /not take traffic of services/,
    ],
  ];
  for (const [title, weight, gateways, why] of unused) {
    it(`${title} takes nothing, and says why`, () => {
      const { weights, canary, told } = seen(weight, gateways);
      expect({ weights, told }).to.deep.equal({ weights: [], told: ['gate'] });
      expect(canary?.kind === 'unused' ? canary.why : '').to.match(why);
    });
  }

  it('is named on the level of its primary, and on no other', () => {
    const inherited = `${namespaceText('ledger', use)}${both}`;
    expect(seen('10', inherited, {}).weights).to.deep.equal(['gate 100', 'next 0']);
    expect(seen('10', inherited, { 'istio.io/use-waypoint': 'gate' }).weights).to.deep.equal([]);
  });
});
