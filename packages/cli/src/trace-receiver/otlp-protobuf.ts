/**
 * ExportTraceServiceRequest in protobuf (opentelemetry/proto/collector/trace/v1), as far as a picture of a trace needs
 * it. Read field by field from the wire: generated code of four files would be thirty times as long.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { spanOf } from './span.ts';
import type { AttributeValue, ReceivedSpan, SpanFields } from './span.ts';

/** Reads one field of an expected number and wire type. */
type FieldReaders = Readonly<Record<number, { readonly wire: WireType; readonly read: (reader: BinaryReader) => void }>>;

/** The spans; throws on bytes that are no such message. */
export function decodeProtobuf(bytes: Uint8Array): readonly ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  // resource_spans
  readMessage(bytes, { 1: message((inner) => readResourceSpans(inner, spans)) });
  return spans;
}

function readResourceSpans(bytes: Uint8Array, spans: ReceivedSpan[]): void {
  const scopes: Uint8Array[] = [];
  let service = '';
  readMessage(bytes, {
    // resource
    1: message((inner) => {
      const name = readAttributes(inner, 1)['service.name'];
      service = name === undefined ? '' : String(name);
    }),
    // scope_spans
    2: message((inner) => scopes.push(inner)),
  });
  for (const scope of scopes) {
    // spans
    readMessage(scope, {
      2: message((inner) => {
        const span = spanOf(readSpan(inner), service);
        if (span !== undefined) spans.push(span);
      }),
    });
  }
}

function readSpan(bytes: Uint8Array): SpanFields {
  const span = { traceId: '', spanId: '', parentSpanId: '', name: '', kind: 0, startNano: 0n, endNano: 0n, statusCode: 0 };
  readMessage(bytes, {
    1: message((inner) => (span.traceId = hex(inner))),
    2: message((inner) => (span.spanId = hex(inner))),
    4: message((inner) => (span.parentSpanId = hex(inner))),
    5: { wire: WireType.LengthDelimited, read: (reader) => (span.name = reader.string()) },
    6: { wire: WireType.Varint, read: (reader) => (span.kind = reader.int32()) },
    7: { wire: WireType.Bit64, read: (reader) => (span.startNano = BigInt(reader.fixed64())) },
    8: { wire: WireType.Bit64, read: (reader) => (span.endNano = BigInt(reader.fixed64())) },
    // status: code
    15: message((inner) =>
      readMessage(inner, { 3: { wire: WireType.Varint, read: (reader) => (span.statusCode = reader.int32()) } }),
    ),
  });
  return { ...span, attributes: readAttributes(bytes, 9) };
}

/** All KeyValues that stand in one repeated field. */
function readAttributes(bytes: Uint8Array, field: number): Readonly<Record<string, AttributeValue>> {
  const attributes = new Map<string, AttributeValue>();
  const readKeyValue = (pair: Uint8Array): void => {
    let key = '';
    let value: AttributeValue | undefined;
    readMessage(pair, {
      1: { wire: WireType.LengthDelimited, read: (reader) => (key = reader.string()) },
      2: message((inner) => (value = readValue(inner))),
    });
    if (value !== undefined) attributes.set(key, value);
  };
  readMessage(bytes, { [field]: message(readKeyValue) });
  return Object.fromEntries(attributes);
}

/** AnyValue; lists and maps are left out, since nothing drawn has them. */
function readValue(bytes: Uint8Array): AttributeValue | undefined {
  let value: AttributeValue | undefined;
  readMessage(bytes, {
    1: { wire: WireType.LengthDelimited, read: (reader) => (value = reader.string()) },
    2: { wire: WireType.Varint, read: (reader) => (value = reader.bool()) },
    3: { wire: WireType.Varint, read: (reader) => (value = Number(reader.int64())) },
    4: { wire: WireType.Bit64, read: (reader) => (value = reader.double()) },
  });
  return value;
}

function readMessage(bytes: Uint8Array, readers: FieldReaders): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const known = readers[field];
    if (known?.wire === wire) known.read(reader);
    else reader.skip(wire, field);
  }
}

function message(read: (bytes: Uint8Array) => unknown): FieldReaders[number] {
  return { wire: WireType.LengthDelimited, read: (reader) => void read(reader.bytes()) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
