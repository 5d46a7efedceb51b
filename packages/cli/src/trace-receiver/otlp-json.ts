/** ExportTraceServiceRequest in OTLP's JSON: ids in hexadecimal, 64-bit numbers as text (OTLP specification, "JSON Protobuf Encoding"). */
import { spanOf } from './span.ts';
import type { AttributeValue, ReceivedSpan } from './span.ts';

/** The spans; throws on text that is no such message. */
export function decodeJson(text: string): readonly ReceivedSpan[] {
  const request: unknown = JSON.parse(text);
  if (!isObject(request)) throw new TypeError('the message is not a JSON object');
  return list(request['resourceSpans']).flatMap((resourceSpans) => {
    const service = attributesOf(objectAt(resourceSpans, 'resource')['attributes'])['service.name'];
    return list(resourceSpans['scopeSpans'])
      .flatMap((scopeSpans) => list(scopeSpans['spans']))
      .flatMap((span) => readSpan(span, service === undefined ? '' : String(service)) ?? []);
  });
}

type JsonObject = Readonly<Record<string, unknown>>;

function readSpan(span: JsonObject, service: string): ReceivedSpan | undefined {
  return spanOf(
    {
      traceId: textOf(span['traceId']).toLowerCase(),
      spanId: textOf(span['spanId']).toLowerCase(),
      parentSpanId: textOf(span['parentSpanId']).toLowerCase(),
      name: textOf(span['name']),
      kind: enumOf(span['kind'], kindNames),
      startNano: nanoseconds(span['startTimeUnixNano']),
      endNano: nanoseconds(span['endTimeUnixNano']),
      statusCode: enumOf(objectAt(span, 'status')['code'], statusNames),
      attributes: attributesOf(span['attributes']),
    },
    service,
  );
}

const kindNames = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'].map((name) => `SPAN_KIND_${name}`);
const statusNames = ['UNSET', 'OK', 'ERROR'].map((name) => `STATUS_CODE_${name}`);

function attributesOf(value: unknown): Readonly<Record<string, AttributeValue>> {
  const pairs = list(value).flatMap((pair): [string, AttributeValue][] => {
    const read = readValue(objectAt(pair, 'value'));
    return read === undefined ? [] : [[textOf(pair['key']), read]];
  });
  return Object.fromEntries(pairs);
}

function readValue({ stringValue, boolValue, intValue, doubleValue }: JsonObject): AttributeValue | undefined {
  if (typeof stringValue === 'string') return stringValue;
  if (typeof boolValue === 'boolean') return boolValue;
  const number = intValue ?? doubleValue;
  return typeof number === 'string' || typeof number === 'number' ? Number(number) : undefined;
}

function nanoseconds(value: unknown): bigint {
  const text = typeof value === 'number' ? String(value) : textOf(value);
  return /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
}

/** A number, or a name as protobuf's own JSON writes it. */
function enumOf(value: unknown, names: readonly string[]): number {
  return typeof value === 'number' ? value : Math.max(0, names.indexOf(textOf(value)));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
