import { expect } from 'chai';
import { describe, it } from 'mocha';
import { decodeAddress, encodeService } from '@clearmesh/shared/wire/wds';
import { modelFrom, namespaceText, objectText, serviceText } from '../fixtures/manifest-text.ts';
import type { MeshModel } from '../../src/derive/mesh-model.ts';

function of(annotations: Readonly<Record<string, string>>): MeshModel {
  return modelFrom(`${namespaceText('ledger')}${serviceText('ledger', { annotations })}`);
}

describe('annotations of a Service on the choice of endpoints', () => {
  const table: readonly (readonly [annotations: Readonly<Record<string, string>>, choice: object | undefined])[] = [
    [{}, undefined],
    [{ 'clearmesh.io/load-balancing': 'random', 'clearmesh.io/connect-attempts': '1' }, undefined],
    [{ 'clearmesh.io/load-balancing': 'least-request' }, { leastRequest: true, connectAttempts: 1 }],
    [{ 'clearmesh.io/connect-attempts': '2' }, { leastRequest: false, connectAttempts: 2 }],
    [
      { 'clearmesh.io/load-balancing': 'least-request', 'clearmesh.io/connect-attempts': '5' },
      { leastRequest: true, connectAttempts: 5 },
    ],
  ];
  for (const [annotations, choice] of table) {
    it(`mean ${JSON.stringify(choice) ?? 'nothing'}: ${JSON.stringify(annotations)}`, () => {
      const { services, notes } = of(annotations);
      expect([services[0]?.endpointChoice, notes]).to.deep.equal([choice, []]);
    });
  }

  const wrong: readonly (readonly [annotation: string, value: string, instead: string])[] = [
    [
      'clearmesh.io/load-balancing',
      'least_request',
      'is "least_request", which is not random or least-request; endpoints are drawn at random',
    ],
    ['clearmesh.io/load-balancing', '', 'is "", which is not random or least-request; endpoints are drawn at random'],
    ['clearmesh.io/connect-attempts', '0', 'is "0", which is not a number from 1 to 5; one endpoint is tried'],
    ['clearmesh.io/connect-attempts', '6', 'is "6", which is not a number from 1 to 5; one endpoint is tried'],
    ['clearmesh.io/connect-attempts', 'two', 'is "two", which is not a number from 1 to 5; one endpoint is tried'],
  ];
  for (const [annotation, value, instead] of wrong) {
    it(`that cannot be followed change nothing, and are said: ${annotation} ${JSON.stringify(value)}`, () => {
      const { services, notes } = of({ [annotation]: value });
      expect(services).to.have.length(1);
      expect(services[0]).not.to.have.property('endpointChoice');
      expect(notes).to.deep.equal([{ object: 'Service ledger/ledger', message: `annotation ${annotation} ${instead}` }]);
    });
  }

  it('arrive at a proxy', () => {
    const [service] = of({ 'clearmesh.io/connect-attempts': '3' }).services;
    const decoded = decodeAddress(encodeService(service!));
    expect(decoded.kind === 'service' && decoded.service.endpointChoice).to.deep.equal({
      leastRequest: false,
      connectAttempts: 3,
    });
  });

  it('are those of a ServiceEntry as well', () => {
    const spec = {
      hosts: ['partner.example'],
      ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
      resolution: 'STATIC',
      endpoints: [{ address: '10.9.0.1' }],
    };
    const entry = objectText('ServiceEntry', 'partner', spec, { annotations: { 'clearmesh.io/connect-attempts': '2' } });
    expect(modelFrom(entry).services[0]?.endpointChoice).to.deep.equal({ leastRequest: false, connectAttempts: 2 });
    const mistyped = objectText('ServiceEntry', 'partner', spec, { annotations: { 'clearmesh.io/connect-attempts': '+2' } });
    expect(modelFrom(mistyped).notes.map(({ object }) => object)).to.deep.equal(['ServiceEntry ledger/partner']);
  });
});
