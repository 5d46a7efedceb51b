import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { standInFor } from '../../src/watch/stand-in.ts';
import type { StandIn } from '../../src/watch/stand-in.ts';

const metadata = { name: 'books' };
const rules = { rootNamespace: 'clearmesh-system' };
const waypoint = { name: 'gate', namespace: 'ledger' };
const namespaces = ['ledger', 'batch'];
const nobodys = { name: 'unreadable_waypoint_of_books', namespace: 'clearmesh-system' };

function standIn(spec: unknown): StandIn | undefined {
  const object = { apiVersion: 'clearmesh.io/v1alpha1', kind: 'BankingDomain', metadata: { ...metadata, uid: 'u' }, spec };
  return standInFor(object, rules);
}

function attached(spec: object): object {
  return { kind: 'BankingDomain', value: { metadata, spec, standIn: 'attached' } };
}

describe('what stands for a BankingDomain that cannot be read', () => {
  for (const [title, spec, kept] of [
    ['a field that nobody knows', { namespaces, waypoint, novelty: 1 }, { namespaces, waypoint }],
    ['a namespace twice', { namespaces: [...namespaces, 'ledger'], waypoint }, { namespaces, waypoint }],
    ['the root namespace', { namespaces: [...namespaces, 'clearmesh-system'], waypoint }, { namespaces, waypoint }],
    [
      'defaults that are wrong',
      { namespaces, waypoint, criticality: 'high', defaults: { resilience: { timeouts: { request: 'soon' } } } },
      { namespaces, waypoint, criticality: 'high' },
    ],
    [
      'a criticality that is wrong',
      { namespaces, waypoint, criticality: '!', defaults: { resilience: { class: 'money-movement' } } },
      { namespaces, waypoint, defaults: { resilience: { class: 'money-movement' } } },
    ],
  ] as const) {
    it(`keeps in force what can be read beside ${title}`, () => {
      const found = standIn(spec);
      expect(found?.manifest).to.deep.equal(attached(kept));
      expect(found?.effect).to.equal(
        'What can be read of it stays in force: the services of the namespaces ledger, batch, where they name no waypoint themselves, are reached through waypoint ledger/gate alone until it is mended.',
      );
    });
  }

  for (const [title, spec] of [
    ['of another form', { namespaces, waypoint: 'gate' }],
    ['without a namespace', { namespaces, waypoint: { name: 'gate' } }],
    ['that is none', { namespaces, waypoint: { ...waypoint, name: 'none' } }],
    ['under a mistyped name', { namespaces, waypont: waypoint }],
  ] as const) {
    it(`lets nobody in for a waypoint ${title}`, () => {
      const found = standIn(spec);
      expect(found?.manifest).to.deep.equal(attached({ namespaces, waypoint: nobodys }));
      expect(found?.effect).to.equal(
        'Its waypoint cannot be read: nobody reaches the services of the namespaces ledger, batch, where they name no waypoint themselves, until it is mended.',
      );
    });
  }

  for (const [title, spec, named, why] of [
    [
      'namespaces of another form',
      { namespaces: 'ledger', waypoint },
      waypoint,
      'Which namespaces it is for cannot be read: the',
    ],
    ['one that is no name', { namespaces: ['Ledger'], waypoint }, waypoint, 'Which namespaces it is for cannot be read: the'],
    ['none named', { namespacez: namespaces, waypoint }, waypoint, 'Which namespaces it is for cannot be read: the'],
    ['nothing that can be read', [], nobodys, 'Neither its namespaces nor its waypoint can be read: nobody'],
    ['no spec', null, nobodys, 'Neither its namespaces nor its waypoint can be read: nobody'],
  ] as const) {
    it(`is for the whole mesh with ${title}`, () => {
      const found = standIn(spec);
      const value = { metadata, spec: { namespaces: [], waypoint: named }, standIn: 'mesh' };
      expect(found?.manifest).to.deep.equal({ kind: 'BankingDomain', value });
      expect(found?.effect.startsWith(`${why} `), found?.effect).to.equal(true);
      expect(found?.effect).to.contain('every namespace of the mesh that names no waypoint and belongs to no other domain');
    });
  }

  it('is not there for one that keeps nobody out', () => {
    expect(standIn({ namespaces, criticality: 'high' })).to.equal(undefined);
    expect(standIn({ namespaces: [], waypoint })).to.equal(undefined);
  });

  it('has a waypoint, whatever the spec', () => {
    const fields = fc.record({ namespaces: fc.jsonValue(), waypoint: fc.jsonValue().filter((value) => value !== undefined) });
    fc.assert(
      fc.property(fields, (spec) => {
        const found = standIn(spec);
        if (Array.isArray(spec.namespaces) && spec.namespaces.length === 0) expect(found).to.equal(undefined);
        else expect(found?.manifest.value).to.have.nested.property('spec.waypoint.name');
      }),
    );
  });
});
