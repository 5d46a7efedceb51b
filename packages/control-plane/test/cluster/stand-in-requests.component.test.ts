/** A control plane that is restarted around a real API server, with objects for waypoints there that it cannot read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { after, before, describe, it } from 'mocha';
import { parse } from 'yaml';
import { decodeAddress } from '@clearmesh/shared/wire/wds';
import { ADDRESS_TYPE_URL } from '@clearmesh/shared/wire/type-urls';
import { textOf } from './charts.ts';
import { core, RestartedControlPlane } from './restarted-control-plane.ts';

type Definition = {
  readonly spec: {
    readonly versions: readonly {
      readonly schema: { readonly openAPIV3Schema: { readonly properties: Record<string, unknown> } };
    }[];
  };
};

/** As of another release, which lets anything through: ours would refuse these objects before they are stored. */
async function looseDefinition(plural: string): Promise<object> {
  const path = join(import.meta.dirname, `../../../../charts/base/files/crds/clearmesh-${plural}.yaml`);
  const definition = parse(await readFile(path, 'utf8')) as Definition;
  for (const { schema } of definition.spec.versions) {
    schema.openAPIV3Schema.properties['spec'] = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  }
  return definition;
}

const targetRefs = [{ kind: 'Service', name: 'ledger' }];
const keys = JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', kid: 'k', x: 'x', y: 'y' }] });
const waypoint = { name: 'gate', namespace: 'bank' };
const ours = { apiVersion: 'clearmesh.io/v1alpha1' };

/** One of each; `odd` is what makes it unreadable. */
function objects(odd: {
  readonly opa?: object;
  readonly jwks?: string;
  readonly books?: unknown;
  readonly vaults?: object;
}): string {
  const named = (name: string): object => ({ name, namespace: 'bank' });
  const { opa = {}, jwks = keys, books = waypoint, vaults = {} } = odd;
  return textOf([
    {
      ...ours,
      kind: 'OpaPolicy',
      metadata: named('four-eyes'),
      spec: { targetRefs, engine: { server: { url: 'http://127.0.0.1:8181' } }, ...opa },
    },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'RequestAuthentication',
      metadata: named('login'),
      spec: { targetRefs, jwtRules: [{ issuer: 'https://login.bank', jwks, outputPayloadToHeader: 'x-payload' }] },
    },
    { ...ours, kind: 'BankingDomain', metadata: { name: 'books' }, spec: { namespaces: ['books'], waypoint: books } },
    { ...ours, kind: 'BankingDomain', metadata: { name: 'vaults' }, spec: { namespaces: ['vaults'], waypoint, ...vaults } },
  ]);
}
const odd = objects({ opa: { novelty: 1 }, jwks: 'no keys', books: 'gate', vaults: { novelty: 1 } });

const domains = ['books', 'vaults'].flatMap((namespace) => [
  { ...core, kind: 'Namespace', metadata: { name: namespace } },
  {
    ...core,
    kind: 'Service',
    metadata: { name: 'till', namespace },
    spec: { selector: { app: 'till' }, ports: [{ name: 'http', port: 80 }] },
  },
]);

describe('a control plane that is restarted with objects for waypoints that it cannot read', function () {
  this.timeout(120_000);
  let plane: RestartedControlPlane;

  before(async function () {
    // The programs may have to be built first.
    this.timeout(3_600_000);
    plane = await RestartedControlPlane.create();
    await plane.server.apply(textOf(await Promise.all(['opapolicies', 'bankingdomains'].map(looseDefinition))));
    await plane.server.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
    await plane.server.apply(textOf(domains));
    await plane.server.apply(objects({}));
    await plane.restart();
  });

  after(() => plane[Symbol.asyncDispose]());

  /** What a waypoint that starts now is told of the ledger. */
  async function atLedger(): Promise<string> {
    const { services, policies } = await plane.asWaypoint();
    const told = services.filter(({ key }) => key.startsWith('bank/'));
    return JSON.stringify(
      told.flatMap(({ opa, jwt }) => [
        ...opa.map((key) => [key, policies.opa[key]?.engine.kind]),
        ...jwt.map((key) => {
          const found = policies.jwt[key]!;
          return [key, 'unread' in found ? found.unread : found.rules.length];
        }),
      ]),
    );
  }

  /** Behind which waypoint a ztunnel that starts now finds the services of the domains. */
  async function atDomains(): Promise<string> {
    const told = await plane.asZtunnel(ADDRESS_TYPE_URL);
    const found = ['books', 'vaults'].map((namespace) => {
      const decoded = decodeAddress(told.get(`${namespace}/till.${namespace}.svc.cluster.local`) ?? new Uint8Array());
      const gateway = decoded.kind === 'service' ? decoded.service.waypoint : undefined;
      return `${namespace}: ${gateway?.kind === 'hostname' ? gateway.hostname.split('.')[0] : 'none'}`;
    });
    return found.join(', ');
  }

  const asWritten = '[["OpaPolicy bank/four-eyes","server"],["RequestAuthentication bank/login",1]]';
  const inGate = 'books: gate, vaults: gate';
  const every = ['OpaPolicy bank/four-eyes', 'RequestAuthentication bank/login', 'BankingDomain books', 'BankingDomain vaults'];
  const status = (object: string) => (): Promise<string> => {
    const [kind = '', name = ''] = object.split(' ');
    const [namespace, own] = name.includes('/') ? name.split('/') : [undefined, name];
    return plane.status(kind, own ?? '', ...(namespace === undefined ? [] : ['-n', namespace]));
  };

  it('enforces them as written while it can read them, and goes on with that when it no longer can', async () => {
    await plane.eventually(atLedger, (text) => text === asWritten);
    expect(await atDomains()).to.equal(inGate);
    await plane.server.apply(odd);
    for (const object of every) await plane.eventually(status(object), (text) => text.includes('last valid version stays'));
    expect([await atLedger(), await atDomains()]).to.deep.equal([asWritten, inGate]);
  });

  it('refuses whatever they are for after the restart, and says so', async () => {
    await plane.restart();
    const unread = '[{"fromHeaders":[],"fromParams":[],"outputs":["x-payload"]}]';
    const refused = `[["OpaPolicy bank/four-eyes","none"],["RequestAuthentication bank/login",${unread}]]`;
    await plane.eventually(atLedger, (text) => text === refused);
    expect(await atDomains()).to.equal('books: unreadable_waypoint_of_books, vaults: gate');
    const effects = [
      'Every request is refused (503) at the waypoints of Service ledger, until it is mended.',
      'No token is known to be good: requests that present a token where its rules look are refused (401) at the waypoints of Service ledger, until it is mended.',
      'Its waypoint cannot be read: nobody reaches the services of the namespaces books, where they name no waypoint themselves, until it is mended.',
      'What can be read of it stays in force: the services of the namespaces vaults, where they name no waypoint themselves, are reached through waypoint bank/gate alone until it is mended.',
    ];
    for (const [index, object] of every.entries())
      await plane.eventually(status(object), (text) => text.includes(effects[index]!) && text.includes('"status":"False"'));
    const { rejections } = await plane.page();
    expect(rejections.map(({ object, effect }) => `${object}: ${effect}`)).to.have.members(
      every.map((object, index) => `${object}: ${effects[index]}`),
    );
    expect(await plane.metrics()).to.contain('\nclearmesh_configuration_stand_ins 4\n');
    expect(plane.toldOf).to.have.members(every);
    const till = await plane.eventually(
      () => plane.status('service', 'till', '-n', 'books'),
      (text) => text.includes('BankingDomain books'),
    );
    expect(till).to.contain('the waypoint of BankingDomain books cannot be read; calls are refused until it is');
  });

  it('enforces them as written once they are mended', async () => {
    // What was added is taken away: an object is replaced, not merged.
    await plane.server.kubectl(['patch', 'opapolicy', 'four-eyes', '-n', 'bank', '--type=json', '--patch', remove('novelty')]);
    await plane.server.kubectl(['patch', 'bankingdomain', 'vaults', '--type=json', '--patch', remove('novelty')]);
    await plane.server.apply(objects({}));
    await plane.eventually(atLedger, (text) => text === asWritten);
    await plane.eventually(atDomains, (text) => text === inGate);
    expect(await plane.metrics()).to.contain('\nclearmesh_configuration_stand_ins 0\n');
  });
});

function remove(field: string): string {
  return JSON.stringify([{ op: 'remove', path: `/spec/${field}` }]);
}
