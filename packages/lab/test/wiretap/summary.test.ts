import { expect } from 'chai';
import { before, describe, it } from 'mocha';
import { PcapDecoder } from '../../src/wiretap/pcap.ts';
import { summarise } from '../../src/wiretap/summary.ts';
import type { WireReport } from '../../src/wiretap/summary.ts';
import { handshake } from './hellos.ts';
import type { Handshake } from './hellos.ts';
import { conversation, ethernet, ipv4, pcapFile, tcpFrame } from './packet-builder.ts';

const client = '10.244.1.2:40000';
const server = '10.244.2.2:15008';
const pods = new Set(['10.244.1.2', '10.244.2.2']);
const iban = 'DE89370400440532013000';
const secret = Buffer.from(iban);

function report(frames: readonly Uint8Array[], secrets: readonly Uint8Array[] = [secret]): WireReport {
  return summarise(new PcapDecoder().push(pcapFile(frames)), { pods, secrets });
}

describe('summarise', () => {
  let tls: Handshake;
  before(async () => {
    const options = { ecdhCurve: 'X25519MLKEM768:X25519', minVersion: 'TLSv1.3' } as const;
    tls = await handshake({ client: { ...options, ALPNProtocols: ['h2'] }, server: options });
  });

  it('finds nothing but TLS in a TLS connection', () => {
    const frames = conversation(client, server, [tls.toServer, tls.toClient]);
    expect(report(frames)).to.deep.equal({
      packets: frames.length,
      bytes: frames.reduce((sum, { length }) => sum + length, 0),
      plaintextBytes: 0,
      plaintextSamples: [],
      nonTcp: 0,
      incomplete: 0,
      secretsSeen: [],
      tlsStreams: [
        {
          from: client,
          to: server,
          version: 'TLSv1.3',
          groupsOffered: ['X25519MLKEM768', 'X25519'],
          groupChosen: 'X25519MLKEM768',
          alpn: ['h2'],
          sni: 'ledger',
        },
      ],
    });
  });

  it('counts and quotes plaintext, around the secret in it', () => {
    const request = `POST /payments HTTP/1.1\r\n${'x'.repeat(100)}iban=${iban}&amount=1`;
    const { plaintextBytes, plaintextSamples, secretsSeen, tlsStreams } = report(conversation(client, server, [request, 'ok\n']));
    expect(plaintextBytes).to.equal(request.length + 3);
    expect(plaintextSamples[0]!.text).to.have.length.at.most(120);
    expect(plaintextSamples[0]).to.deep.include({ from: client, to: server });
    expect(plaintextSamples[0]!.text).to.include(`iban=${iban}`);
    expect(plaintextSamples[1]).to.deep.equal({ from: server, to: client, text: 'ok.' });
    expect(secretsSeen).to.deep.equal([{ secret: 0, from: client, to: server }]);
    expect(tlsStreams).to.deep.equal([]);
  });

  it('finds a secret that two segments share, and one outside of TCP', () => {
    const split = conversation(client, server, [`${'x'.repeat(990)}${iban}`]);
    expect(report(split).secretsSeen).to.have.length(1);
    const udp = ethernet(0x0800, ipv4('10.244.1.2:0', '10.9.9.9:0', 17, secret));
    expect(report([udp])).to.deep.include({ nonTcp: 1, secretsSeen: [{ secret: 0, from: '10.244.1.2', to: '10.9.9.9' }] });
    expect(report([ethernet(0x1234, secret)]).secretsSeen).to.have.length(1);
  });

  it('finds a secret dressed up as a TLS record', () => {
    const dressed = Buffer.concat([tls.toServer, Buffer.from([23, 3, 3, 0, secret.length]), secret]);
    expect(report(conversation(client, server, [dressed, tls.toClient])).secretsSeen).to.have.length(1);
  });

  it('ignores an empty secret', () => {
    expect(report(conversation(client, server, ['hello']), [new Uint8Array(0)]).secretsSeen).to.deep.equal([]);
  });

  it('says nothing of other addresses', () => {
    const { plaintextBytes, packets } = report(conversation('10.97.0.1:1', '10.97.0.2:2', ['hello']));
    expect([plaintextBytes, packets]).to.deep.equal([0, 3]);
  });

  it('quotes at most eight samples', () => {
    const frames = Array.from({ length: 20 }, (_, index) => conversation(`10.244.1.2:${4000 + index}`, server, ['hello'])).flat();
    expect(report(frames).plaintextSamples).to.have.length(8);
  });

  it('takes a connection without payload for neither', () => {
    const refused = [
      tcpFrame({ from: client, to: server, sequence: 1, flags: 'S' }),
      tcpFrame({ from: server, to: client, sequence: 0, flags: 'RA' }),
    ];
    expect(report(refused)).to.deep.include({ plaintextBytes: 0, tlsStreams: [], incomplete: 0 });
  });

  it('takes a handshake refused by an alert for TLS', () => {
    const alert = Buffer.from([21, 3, 3, 0, 2, 2, 40]);
    const [stream] = report(conversation(client, server, [tls.toServer, alert])).tlsStreams;
    expect(stream).to.deep.include({ version: undefined, groupChosen: undefined });
  });

  describe('counts as plaintext', () => {
    const alert = Buffer.from([21, 3, 3, 0, 2, 2, 40]);
    const cases: readonly (readonly [string, () => readonly Uint8Array[]])[] = [
      [
        'TLS that turns into something else',
        () => conversation(client, server, [Buffer.concat([tls.toServer, Buffer.from('hello')]), tls.toClient]),
      ],
      ['a hello answered by something else', () => conversation(client, server, [tls.toServer, 'HTTP/1.1 400 Bad Request\r\n'])],
      [
        'a hello answered by sealed records without a ServerHello',
        () => conversation(client, server, [tls.toServer, Buffer.concat([alert, alert])]),
      ],
      ['sealed records without a hello', () => conversation(client, server, [Buffer.from([23, 3, 3, 0, 1, 0]), tls.toClient])],
      ['TLS whose beginning was not captured', () => conversation(client, server, [tls.toServer, tls.toClient]).slice(2)],
      ['TLS with a gap', () => conversation(client, server, [tls.toServer, tls.toClient]).toSpliced(3, 1)],
    ];
    for (const [what, frames] of cases) {
      it(what, () => {
        const { plaintextBytes, tlsStreams } = report(frames());
        expect(plaintextBytes).to.be.greaterThan(0);
        expect(tlsStreams).to.deep.equal([]);
      });
    }
  });

  it('says how many connections it could not see whole', () => {
    expect(report(conversation(client, server, [tls.toServer, tls.toClient]).slice(2)).incomplete).to.equal(1);
  });
});
