import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { spiffeIdsOf, splitPemBundle } from '@clearmesh/shared/identity/certificate';
import { dnsPem, mixedPem, rootPem, workloadPem } from '../vectors/certificates.ts';

const { asn1 } = forge;
type Names = readonly (readonly [tag: forge.asn1.Type, value: string])[];

const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;
const universal = (type: forge.asn1.Type, value: string | forge.asn1.Asn1[]): forge.asn1.Asn1 =>
  asn1.create(asn1.Class.UNIVERSAL, type, Array.isArray(value), value);

function altNames(names: Names): forge.asn1.Asn1 {
  const list = names.map(([tag, value]) => asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, value));
  const content = asn1.toDer(universal(asn1.Type.SEQUENCE, list)).getBytes();
  const id = universal(asn1.Type.OID, asn1.oidToDer('2.5.29.17').getBytes());
  return universal(asn1.Type.SEQUENCE, [id, universal(asn1.Type.OCTETSTRING, content)]);
}

/** As much of a certificate as the reader looks at. Context tags 2, 3 and 6 go by forge's names for those numbers. */
function certificate(...extensions: readonly Names[]): Uint8Array {
  const list = universal(asn1.Type.SEQUENCE, extensions.map(altNames));
  const tagged = asn1.create(asn1.Class.CONTEXT_SPECIFIC, asn1.Type.BITSTRING, true, [list]);
  const body = universal(asn1.Type.SEQUENCE, [universal(asn1.Type.SEQUENCE, [universal(asn1.Type.INTEGER, '\u0001'), tagged])]);
  return Uint8Array.from(Buffer.from(asn1.toDer(body).getBytes(), 'latin1'));
}

const good = 'spiffe://cluster.local/ns/bank/sa/teller';
const other = 'spiffe://partner.example/ns/bank/sa/teller';
const uri = (value: string): readonly [forge.asn1.Type, string] => [asn1.Type.OID, value];

describe('SPIFFE ids of a certificate', () => {
  const cases: readonly (readonly [title: string, der: Uint8Array, ids: readonly string[]])[] = [
    ['a workload certificate with a critical name', der(workloadPem), ['spiffe://cluster.local/ns/bank/sa/far-sa']],
    [
      'names of other kinds and schemes are passed over, the order stays',
      der(mixedPem),
      ['spiffe://cluster.local/ns/bank/sa/one', 'spiffe://other/ns/bank/sa/two'],
    ],
    ['DNS only', der(dnsPem), []],
    ['no alternative name', der(rootPem), []],
    ['a SPIFFE id of another path', certificate([uri('spiffe://cluster.local/teller'), uri(good)]), [good]],
    ['a SPIFFE id as DNS name', certificate([[asn1.Type.INTEGER, good]]), []],
    ['a NUL within the id', certificate([uri(`${good}\0.evil`)]), []],
    ['no names in the extension', certificate([]), []],
    ['two alternative-name extensions', certificate([uri(good)], [uri(other)]), []],
    ['no bytes', new Uint8Array(), []],
    ['something else in DER', Uint8Array.of(0x05, 0x00), []],
    ['bytes behind the certificate', Uint8Array.from([...der(workloadPem), 0]), []],
  ];
  for (const [title, bytes, ids] of cases) it(title, () => expect(spiffeIdsOf(bytes)).to.deep.equal(ids));

  it('are all of any list, in order', () => {
    const label = fc.stringMatching(/^[a-z]{1,5}$/);
    const id = fc.tuple(label, label, label).map(([td, ns, sa]) => `spiffe://${td}/ns/${ns}/sa/${sa}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(id, fc.webUrl())), (names) => {
        expect(spiffeIdsOf(certificate(names.map(uri)))).to.deep.equal(names.filter((name) => name.startsWith('spiffe:')));
      }),
    );
  });

  it('never throw on any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void spiffeIdsOf(bytes)));
    const damaged = fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damaged, (places) => {
        const bytes = Uint8Array.from(der(mixedPem));
        for (const [at, byte] of places) bytes[at % bytes.length] = byte;
        spiffeIdsOf(bytes);
      }),
    );
  });

  it('never overflow the stack on structures nested deep', () => {
    expect(spiffeIdsOf(Uint8Array.from({ length: 20_000 }, (_, at) => (at % 2 === 0 ? 0x30 : 0x80)))).to.deep.equal([]);
  });
});

describe('a PEM bundle', () => {
  it('falls into its certificates, in order', () => {
    expect(splitPemBundle(`comment\n${workloadPem}\n\n${rootPem}`)).to.deep.equal([workloadPem, rootPem]);
  });

  it('leaves out blocks of other kinds', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    expect(splitPemBundle(key + workloadPem)).to.deep.equal([workloadPem]);
  });

  it('reads line ends of either kind', () =>
    expect(splitPemBundle(workloadPem.replaceAll('\n', '\r\n'))).to.deep.equal([workloadPem]));

  it('is empty where there is none', () => {
    for (const text of ['', 'hello', workloadPem.slice(0, 100)]) expect(splitPemBundle(text)).to.deep.equal([]);
  });

  it('never throws on any text', () =>
    fc.assert(fc.property(fc.string(), (text) => void splitPemBundle(`-----BEGIN ${text}-----${text}`))));
});
