import { expect } from 'chai';
import { array, assert, constantFrom, nat, property } from 'fast-check';
import { describe, it } from 'mocha';
import { automaticAddresses } from '../../src/derive/automatic-address.ts';
import type { ServiceEntryManifest } from '../../src/manifest/service-entry.ts';

type Facts = Partial<ServiceEntryManifest['spec']> & {
  readonly status?: ServiceEntryManifest['status'];
  readonly labels?: Readonly<Record<string, string>>;
  readonly created?: string;
};

function entry(name: string, { status, labels = {}, created, ...spec }: Facts = {}): ServiceEntryManifest {
  return {
    metadata: { name, namespace: 'bank', labels, ...(created === undefined ? {} : { creationTimestamp: created }) },
    spec: { hosts: [`${name}.example`], resolution: 'DNS', ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

function addressesOf(name: string, ...entries: readonly ServiceEntryManifest[]): readonly string[] | undefined {
  return automaticAddresses(entries)
    .get(`bank/${name}`)
    ?.map(({ host, value }) => `${host} ${value}`);
}

describe('automatic addresses', () => {
  it('are a pair for each host, of the ranges that nobody else uses', () => {
    const [v4, v6, ...others] = addressesOf('fx', entry('fx')) ?? [];
    expect(v4).to.match(/^fx\.example 240\.240\.\d+\.\d+$/);
    expect(v6).to.match(/^fx\.example 2001:2::[0-9a-f]{1,4}$/);
    expect(others).to.deep.equal([]);
    expect(addressesOf('two', entry('two', { hosts: ['a.example', 'b.example'] }))).to.have.length(4);
  });

  const none: readonly [string, Facts][] = [
    ['has addresses of its own', { addresses: ['203.0.113.1'] }],
    ['passes through to the address that was asked for', { resolution: 'NONE' }],
    ['opts out', { labels: { 'networking.istio.io/enable-autoallocate-ip': 'false' } }],
  ];
  for (const [title, facts] of none) {
    it(`are not for an entry that ${title}`, () => {
      expect(addressesOf('fx', entry('fx', facts))).to.equal(undefined);
    });
  }

  it('are for a wildcard only where DNS is asked for each name below it', () => {
    expect(addressesOf('fx', entry('fx', { hosts: ['*.example'], resolution: 'STATIC' }))).to.deep.equal([]);
    expect(addressesOf('fx', entry('fx', { hosts: ['*.example'], resolution: 'DYNAMIC_DNS' }))).to.have.length(2);
  });

  it('stay as the status says, though the same object would get others today', () => {
    const status = {
      addresses: [
        { host: 'fx.example', value: '240.240.0.9' },
        { host: 'gone.example', value: '240.240.0.8' },
      ],
    };
    expect(addressesOf('fx', entry('fx', { status }))).to.deep.equal(['fx.example 240.240.0.9']);
  });

  it('stay with the older entry when the status of another names them too', () => {
    const of = (host: string, created: string): ServiceEntryManifest =>
      entry(host, { created, status: { addresses: [{ host: `${host}.example`, value: '240.240.0.9' }] } });
    const both = [of('young', '2026-01-02T00:00:00Z'), of('old', '2026-01-01T00:00:00Z')];
    expect(addressesOf('old', ...both)).to.deep.equal(['old.example 240.240.0.9']);
    expect(addressesOf('young', ...both)).to.deep.equal(addressesOf('young', entry('young')));
  });

  it('are given beside a status without addresses', () => {
    expect(addressesOf('fx', entry('fx', { status: {} }))).to.have.length(2);
    expect(addressesOf('fx', entry('fx', { status: { addresses: [] } }))).to.have.length(2);
  });

  it('avoid what a status or an owner holds', () => {
    const wanted = automaticAddresses([entry('fx')]).get('bank/fx') ?? [];
    for (const { value } of wanted) {
      const kept = entry('other', { status: { addresses: [{ host: 'other.example', value }] } });
      expect(addressesOf('fx', entry('fx'), kept)?.join()).to.not.contain(` ${value},`);
      expect(addressesOf('fx', entry('fx'), entry('owner', { addresses: [value] }))?.join()).to.not.contain(` ${value},`);
    }
  });

  it('are the older entry’s when two names ask for one number', () => {
    const [first, second] = colliding();
    const old = entry(first, { created: '2026-01-01T00:00:00Z' });
    const young = entry(second, { created: '2026-01-02T00:00:00Z' });
    expect(addressesOf(first, young, old)).to.deep.equal(addressesOf(first, old));
    expect(addressesOf(second, young, old)).to.not.deep.equal(addressesOf(second, young));
  });

  it('are never shared, and do not depend on the order of objects', () => {
    assert(
      property(array(constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { maxLength: 7 }), nat(6), (names, turn) => {
        const entries = [...new Set(names)].map((name) => entry(name));
        const turned = [...entries.slice(turn), ...entries.slice(0, turn)];
        const given = automaticAddresses(entries);
        expect(Object.fromEntries(automaticAddresses(turned))).to.deep.equal(Object.fromEntries(given));
        const values = [...given.values()].flat().map(({ value }) => value);
        expect(new Set(values).size).to.equal(values.length);
      }),
    );
  });
});

/** Two names of one number; of a thousand there are some. */
function colliding(): readonly [string, string] {
  const seen = new Map<string, string>();
  for (let at = 0; ; at++) {
    const name = `e${at}`;
    const address = addressesOf(name, entry(name))?.[0]?.split(' ')[1] ?? '';
    const other = seen.get(address);
    if (other !== undefined) return [other, name];
    seen.set(address, name);
  }
}
