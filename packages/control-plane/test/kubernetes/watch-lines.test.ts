import { expect } from 'chai';
import { array, assert, asyncProperty, constantFrom, oneof, property, string, uint8Array } from 'fast-check';
import { describe, it } from 'mocha';
import { parseWatchLine, readLines } from '../../src/kubernetes/watch-lines.ts';

const resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };

async function linesOf(chunks: readonly Uint8Array[], maxBytes?: number): Promise<string[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  return Array.fromAsync(readLines(source(), maxBytes));
}

/** Cuts of a text into chunks, in the middle of characters too. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

describe('readLines', () => {
  it('gives the same lines however the bytes are cut', async () => {
    const line = string({ unit: constantFrom('a', 'ß', '€', '😀', '"', ' ') });
    await assert(
      asyncProperty(array(line), array(string().map((text) => text.length * 7)), async (lines, places) => {
        const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(''), 'utf8');
        expect(await linesOf(cut(bytes, places))).to.deep.equal(lines.filter((each) => each.trim() !== ''));
      }),
    );
  });

  it('drops what was cut off', async () => {
    expect(await linesOf([Buffer.from('{"a":1}\n{"b"')])).to.deep.equal(['{"a":1}']);
  });

  it('ends a line that never ends', async () => {
    const failure = await linesOf([Buffer.alloc(60, 97), Buffer.alloc(60, 97)], 100).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error);
  });
});

describe('parseWatchLine', () => {
  it('makes an event of whatever it is given, and never throws', () => {
    const kinds: ReadonlySet<string> = new Set(['changed', 'removed', 'bookmark', 'error', 'malformed']);
    const shaped = constantFrom(
      '{"type":"ADDED","object":null}',
      '{"type":"ADDED","object":{"metadata":null}}',
      '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":5}}}',
      '{"type":"ERROR","object":null}',
      '{"type":null,"object":[]}',
      'null',
    );
    const bytes = uint8Array().map((each) => Buffer.from(each).toString('latin1'));
    assert(property(oneof(shaped, string(), bytes), (line) => kinds.has(parseWatchLine(line, resource).kind)));
  });

  for (const [line, event] of [
    [
      '{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"7"}}}',
      {
        kind: 'changed',
        object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', resourceVersion: '7' } },
        version: '7',
      },
    ],
    ['{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}', { kind: 'bookmark', version: '9' }],
    ['{"type":"ERROR","object":{"code":410,"message":"too old"}}', { kind: 'error', status: 410, message: 'too old' }],
    ['{"type":"RENAMED","object":{"metadata":{"name":"a","resourceVersion":"7"}}}', { kind: 'malformed' }],
    ['{"type":"ADDED","object":{"metadata":{"name":"a"}}}', { kind: 'malformed' }],
  ] as const) {
    it(`reads ${line.slice(0, 60)}`, () => {
      expect(parseWatchLine(line, resource)).to.deep.equal(event);
    });
  }
});
