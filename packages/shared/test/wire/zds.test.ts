import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import {
  MAX_ZDS_PACKET,
  decodeAck,
  decodeHello,
  decodeZdsRequest,
  encodeAck,
  encodeHello,
  encodeZdsRequest,
} from '@clearmesh/shared/wire/zds';
import type { ZdsRequest } from '@clearmesh/shared/wire/zds';
import seen from '../vectors/seen.json' with { type: 'json' };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

describe('ZDS packets', () => {
  const uid = 'uid-client';
  const packets: readonly (readonly [request: ZdsRequest, packet: string])[] = [
    [{ kind: 'add', uid, info: { name: 'client', namespace: 'bank', serviceAccount: 'client-sa' } }, seen.zds.add],
    [{ kind: 'keep', uid }, seen.zds.keep],
    [{ kind: 'del', uid }, seen.zds.del],
    [{ kind: 'snapshotSent' }, seen.zds.snapshot],
  ];
  for (const [request, packet] of packets) {
    it(`${request.kind} is ${packet}`, () => {
      expect(hex(encodeZdsRequest(request))).to.equal(packet);
      expect(decodeZdsRequest(bytes(packet))).to.deep.equal(request);
    });
  }

  it('the hello is 0801', () => {
    expect(hex(encodeHello())).to.equal(seen.zds.hello);
    expect(decodeHello(bytes(seen.zds.hello))).to.deep.equal({ kind: 'hello' });
  });

  it('an Ack without error is 0a00', () => {
    expect(hex(encodeAck(''))).to.equal('0a00');
    expect(decodeAck(bytes('0a00'))).to.deep.equal({ kind: 'ack', error: '' });
    expect(decodeAck(encodeAck('no netns'))).to.deep.equal({ kind: 'ack', error: 'no netns' });
  });

  it('an Ack fits a packet, however long the error', () => {
    for (const letter of ['x', 'ß', '語', '😀']) expect(encodeAck(letter.repeat(5000)).length).to.be.at.most(MAX_ZDS_PACKET);
  });

  const invalid: readonly (readonly [title: string, decoded: { kind: string; cause?: string }, cause: string])[] = [
    ['an empty request', decodeZdsRequest(new Uint8Array()), 'malformed'],
    ['a request of later kind', decodeZdsRequest(bytes('3200')), 'malformed'],
    ['rubbish', decodeZdsRequest(bytes('ffffffffffffffffffffff')), 'malformed'],
    ['an Add without workload_info', decodeZdsRequest(bytes('0a030a0175')), 'protocol'],
    ['an empty answer', decodeAck(new Uint8Array()), 'malformed'],
    ['rubbish as answer', decodeAck(bytes('ff')), 'malformed'],
    ['an empty hello', decodeHello(new Uint8Array()), 'malformed'],
    ['a hello of version 2', decodeHello(bytes('0802')), 'malformed'],
  ];
  for (const [title, decoded, cause] of invalid) {
    it(`${title} is invalid`, () => expect([decoded.kind, decoded.cause]).to.deep.equal(['invalid', cause]));
  }

  it('brings any request back', () => {
    const text = fc.string({ unit: 'grapheme' });
    const request = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        uid: text,
        info: fc.record({ name: text, namespace: text, serviceAccount: text }),
      }),
      fc.record({ kind: fc.constantFrom('keep' as const, 'del' as const), uid: text }),
      fc.constant({ kind: 'snapshotSent' as const }),
    );
    fc.assert(fc.property(request, (given) => void expect(decodeZdsRequest(encodeZdsRequest(given))).to.deep.equal(given)));
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (packet) => {
        decodeZdsRequest(packet);
        decodeAck(packet);
        decodeHello(packet);
      }),
    );
  });
});
