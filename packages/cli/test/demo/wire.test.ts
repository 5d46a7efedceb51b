import { expect } from 'chai';
import { describe, it } from 'mocha';
import { allHold } from '../../src/demo/report.ts';
import { nothingSeen, tlsFacts, wireReport } from '../../src/demo/wire.ts';

const stream = (version: string | undefined, groupsOffered: readonly string[]) => ({
  from: '10.244.1.2:1000',
  to: '10.244.2.2:15008',
  version,
  groupsOffered,
  groupChosen: groupsOffered[0],
  alpn: ['h2'],
  sni: undefined,
});
const post = ['X25519MLKEM768', 'X25519'];

describe('tlsFacts', () => {
  it('names each version and each first group once', () => {
    expect(tlsFacts([stream('TLSv1.3', post), stream('TLSv1.3', post), stream('TLSv1.2', ['X25519'])])).to.deep.equal({
      versions: ['TLSv1.2', 'TLSv1.3'],
      firstGroups: ['X25519', 'X25519MLKEM768'],
      groups: ['X25519', 'X25519MLKEM768'],
    });
  });

  it('takes no version from a handshake that has agreed on none, and says so of a client without groups', () => {
    expect(tlsFacts([stream(undefined, [])])).to.deep.equal({ versions: [], firstGroups: ['none'], groups: [] });
  });
});

describe('wireReport', () => {
  it('keeps what the tap counted', () => {
    const tap = {
      packets: 9,
      bytes: 4000,
      plaintextBytes: 7,
      tlsStreams: [stream('TLSv1.3', post)],
      plaintextSamples: [],
      nonTcp: 0,
      incomplete: 0,
      secretsSeen: [{ secret: 0, from: '', to: '' }],
    };
    expect(wireReport(tap)).to.deep.equal({
      plaintextBytes: 7,
      totalBytes: 4000,
      tlsConnections: 1,
      tlsVersions: ['TLSv1.3'],
      firstGroup: 'X25519MLKEM768',
      agreedGroups: ['X25519MLKEM768'],
      secretsSeen: 1,
    });
  });

  it('claims nothing when nobody listened', () => {
    expect(nothingSeen).to.deep.include({ tlsConnections: 0, tlsVersions: [], firstGroup: '' });
  });
});

describe('allHold', () => {
  const held = { name: '', why: '', ok: true, evidence: '', durationMs: 0 };
  it('needs every step, and every step to hold', () => {
    expect(allHold([held, held], 2)).to.equal(true);
    expect(allHold([held], 2)).to.equal(false);
    expect(allHold([held, { ...held, ok: false }], 2)).to.equal(false);
  });
});
