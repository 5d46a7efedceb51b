import { expect } from 'chai';
import { describe, it } from 'mocha';
import { redirectionOf } from '../../src/redirect/redirection.ts';
import type { Redirection } from '../../src/redirect/redirection.ts';

const BYPASS = 'ambient.istio.io/bypass-inbound-capture';
const DNS = 'ambient.istio.io/dns-capture';
const REROUTE = 'istio.io/reroute-virtual-interfaces';
const untouched = { dnsCapture: false, inboundCapture: true, virtualInterfaces: [] };

type Case = { says: string; annotations: Record<string, string>; defaults?: Redirection; gives: Redirection; rejects?: string[] };

const cases: readonly Case[] = [
  { says: 'captures both ways and no DNS without annotations', annotations: {}, gives: untouched },
  {
    says: 'keeps the agent’s defaults',
    annotations: {},
    defaults: { dnsCapture: true, ipv6: false },
    gives: { ...untouched, dnsCapture: true, ipv6: false },
  },
  { says: 'turns DNS on for a pod', annotations: { [DNS]: 'true' }, gives: { ...untouched, dnsCapture: true } },
  { says: 'turns DNS off for a pod', annotations: { [DNS]: 'false' }, defaults: { dnsCapture: true }, gives: untouched },
  { says: 'leaves inbound alone on request', annotations: { [BYPASS]: 'true' }, gives: { ...untouched, inboundCapture: false } },
  { says: 'captures inbound on bypass=false', annotations: { [BYPASS]: '0' }, gives: untouched },
  {
    says: 'reads virtual interfaces',
    annotations: { [REROUTE]: 'br0, tap-1,,' },
    gives: { ...untouched, virtualInterfaces: ['br0', 'tap-1'] },
  },
  { says: 'captures in spite of a misspelt bypass', annotations: { [BYPASS]: 'yes' }, gives: untouched, rejects: [BYPASS] },
  {
    says: 'reports a misspelt DNS choice',
    annotations: { [DNS]: 'on' },
    defaults: { dnsCapture: true },
    gives: { ...untouched, dnsCapture: true },
    rejects: [DNS],
  },
  { says: 'refuses rule text as interface', annotations: { [REROUTE]: 'br0,x" accept' }, gives: untouched, rejects: [REROUTE] },
  { says: 'refuses an overlong interface', annotations: { [REROUTE]: 'abcdefghijklmnop' }, gives: untouched, rejects: [REROUTE] },
];

describe('redirectionOf', () => {
  for (const { says, annotations, defaults, gives, rejects = [] } of cases) {
    it(says, () => {
      const { redirection, rejected } = redirectionOf(annotations, defaults);
      expect(redirection).to.deep.equal(gives);
      expect(rejected.map(({ annotation }) => annotation)).to.deep.equal(rejects);
    });
  }
});
