import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { decodeJson } from '../../src/trace-receiver/otlp-json.ts';
import { decodeProtobuf } from '../../src/trace-receiver/otlp-protobuf.ts';
import type { ReceivedSpan } from '../../src/trace-receiver/span.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const startNano = 1_767_225_600_000_250_000n;

const expected: ReceivedSpan = {
  traceId,
  spanId,
  parentSpanId: 'bbbbbbbbbbbbbbbb',
  name: 'GET /accounts',
  kind: 'server',
  startMs: 1_767_225_600_000.25,
  durationMs: 12.5,
  status: 'error',
  service: 'waypoint',
  attributes: { 'http.route': '/accounts', 'http.response.status_code': 503, cached: true, share: 0.5 },
};

/** The export of {@link expected}, as an exporter writes it. */
function protobufExport(ids: { traceId: string; spanId: string } = { traceId, spanId }): Uint8Array {
  const value = (write: (writer: BinaryWriter) => void): Uint8Array => message(write);
  const pair = (key: string, inner: Uint8Array): Uint8Array =>
    message((writer) => writer.tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.LengthDelimited).bytes(inner));
  const text = (content: string): Uint8Array => value((writer) => writer.tag(1, WireType.LengthDelimited).string(content));
  const span = message((writer) => {
    field(writer, 1, Buffer.from(ids.traceId, 'hex'));
    field(writer, 2, Buffer.from(ids.spanId, 'hex'));
    field(writer, 4, Buffer.from('bbbbbbbbbbbbbbbb', 'hex'));
    writer.tag(5, WireType.LengthDelimited).string('GET /accounts').tag(6, WireType.Varint).int32(2);
    writer
      .tag(7, WireType.Bit64)
      .fixed64(startNano)
      .tag(8, WireType.Bit64)
      .fixed64(startNano + 12_500_000n);
    field(writer, 9, pair('http.route', text('/accounts')));
    field(
      writer,
      9,
      pair(
        'http.response.status_code',
        value((inner) => inner.tag(3, WireType.Varint).int64(503)),
      ),
    );
    field(
      writer,
      9,
      pair(
        'cached',
        value((inner) => inner.tag(2, WireType.Varint).bool(true)),
      ),
    );
    field(
      writer,
      9,
      pair(
        'share',
        value((inner) => inner.tag(4, WireType.Bit64).double(0.5)),
      ),
    );
    // A list, and a field of a later version: both are left out.
    field(
      writer,
      9,
      pair(
        'list',
        value((inner) => field(inner, 5, new Uint8Array())),
      ),
    );
    writer.tag(99, WireType.Varint).int32(1);
    field(
      writer,
      15,
      message((inner) => inner.tag(3, WireType.Varint).int32(2)),
    );
  });
  const resource = message((writer) => field(writer, 1, pair('service.name', text('waypoint'))));
  const scopeSpans = message((writer) => field(writer, 2, span));
  // The resource behind its spans, which protobuf allows.
  const resourceSpans = message((writer) => field(field(writer, 2, scopeSpans), 1, resource));
  return message((writer) => field(writer, 1, resourceSpans));
}

function message(write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  write(writer);
  return writer.finish();
}

function field(writer: BinaryWriter, number: number, bytes: Uint8Array): BinaryWriter {
  return writer.tag(number, WireType.LengthDelimited).bytes(bytes);
}

const jsonExport = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'waypoint' } }] },
      scopeSpans: [
        {
          spans: [
            {
              traceId,
              spanId: spanId.toUpperCase(),
              parentSpanId: 'bbbbbbbbbbbbbbbb',
              name: 'GET /accounts',
              kind: 2,
              startTimeUnixNano: String(startNano),
              endTimeUnixNano: String(startNano + 12_500_000n),
              attributes: [
                { key: 'http.route', value: { stringValue: '/accounts' } },
                { key: 'http.response.status_code', value: { intValue: '503' } },
                { key: 'cached', value: { boolValue: true } },
                { key: 'share', value: { doubleValue: 0.5 } },
                { key: 'list', value: { arrayValue: { values: [] } } },
              ],
              status: { code: 2 },
            },
          ],
        },
      ],
    },
  ],
};

describe('OTLP', () => {
  it('is read from protobuf', () => {
    expect(decodeProtobuf(protobufExport())).to.deep.equal([expected]);
  });

  it('is read from JSON', () => {
    expect(decodeJson(JSON.stringify(jsonExport))).to.deep.equal([expected]);
  });

  it('is read from JSON with names for numbers', () => {
    const text = JSON.stringify(jsonExport)
      .replace('"kind":2', '"kind":"SPAN_KIND_SERVER"')
      .replace('"code":2', '"code":"STATUS_CODE_ERROR"');
    expect(decodeJson(text)).to.deep.equal([expected]);
  });

  it('leaves out spans whose ids are invalid', () => {
    for (const ids of [
      { traceId: '0'.repeat(32), spanId },
      { traceId, spanId: '0'.repeat(16) },
      { traceId: 'ab', spanId },
    ])
      expect(decodeProtobuf(protobufExport(ids))).to.deep.equal([]);
  });

  it('is empty when nothing was sent', () => {
    expect(decodeProtobuf(new Uint8Array())).to.deep.equal([]);
    expect(decodeJson('{}')).to.deep.equal([]);
  });

  for (const [name, decode] of [
    ['protobuf', (bytes: Uint8Array) => decodeProtobuf(bytes)],
    ['JSON', (bytes: Uint8Array) => decodeJson(Buffer.from(bytes).toString())],
  ] as const) {
    it(`gives spans or an Error for any bytes called ${name}`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
          expect(outcomeOf(() => decode(bytes))).to.equal('known');
        }),
      );
    });
  }

  it('gives spans or an Error for any damaged export', () => {
    const whole = protobufExport();
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, end) => {
        const damaged = Uint8Array.from(whole.slice(0, end));
        damaged[at] = byte;
        expect(outcomeOf(() => decodeProtobuf(damaged))).to.equal('known');
      }),
    );
  });

  it('gives spans or an Error for any JSON value', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(outcomeOf(() => decodeJson(`{"resourceSpans":[{"scopeSpans":[{"spans":[${text}]}]}]}`))).to.equal('known');
      }),
    );
  });
});

function outcomeOf(decode: () => readonly ReceivedSpan[]): 'known' | 'unknown' {
  try {
    return Array.isArray(decode()) ? 'known' : 'unknown';
  } catch (error) {
    return error instanceof Error ? 'known' : 'unknown';
  }
}
