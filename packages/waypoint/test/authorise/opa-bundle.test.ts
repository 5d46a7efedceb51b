import { expect } from 'chai';
import { describe, it } from 'mocha';
import { readBundle } from '../../src/authorise/opa-bundle.ts';

function read(files: Readonly<Record<string, string>>, path = 'envoy/authz/allow'): ReturnType<typeof readBundle> {
  return readBundle(
    Object.entries(files).map(([name, text]) => ({ name, bytes: Buffer.from(text) })),
    path,
  );
}

function rejection(files: Readonly<Record<string, string>>): string | undefined {
  const reading = read(files);
  return reading.kind === 'rejected' ? reading.reason : undefined;
}

const manifest = JSON.stringify({
  revision: '7',
  wasm: [
    { entrypoint: 'envoy/authz/allow', module: '/one.wasm' },
    { entrypoint: 'other/allow', module: '/two.wasm' },
  ],
});

describe('an OPA bundle', () => {
  it('names its module in the manifest', () => {
    const reading = read({ '/.manifest': manifest, '/one.wasm': '1', '/two.wasm': '2' }, 'other/allow');
    expect(reading.kind === 'bundle' && Buffer.from(reading.bundle.wasm).toString()).to.equal('2');
  });
  it('has policy.wasm without a manifest', () => {
    expect(read({ './policy.wasm': '1' })).to.have.property('kind', 'bundle');
  });
  it('puts data where its folder says', () => {
    const files = { 'policy.wasm': '1', 'data.json': '{"a":{"x":1},"b":2}', 'a/c/data.json': '{"y":3}' };
    const reading = read(files);
    expect(reading.kind === 'bundle' && JSON.parse(reading.bundle.data)).to.deep.equal({ a: { x: 1, c: { y: 3 } }, b: 2 });
  });
  it('has another revision when its data is another', () => {
    const revision = (data: string): string | undefined => {
      const reading = read({ '.manifest': '{"revision":"7"}', 'policy.wasm': '1', 'data.json': data });
      return reading.kind === 'bundle' ? reading.bundle.revision : undefined;
    };
    expect(revision('{"limit":1}')).to.match(/^7\+[0-9a-f]{12}$/);
    expect(revision('{"limit":1}')).to.equal(revision(' {"limit": 1}'));
    expect(revision('{"limit":1}')).not.to.equal(revision('{"limit":2}'));
  });

  const rejected: readonly (readonly [title: string, files: Readonly<Record<string, string>>, reason: RegExp])[] = [
    ['without a module', { 'data.json': '{}' }, /has no policy.wasm; build it with opa build -t wasm/],
    [
      'without the entrypoint',
      { '.manifest': '{"wasm":[{"entrypoint":"a","module":"/p"}]}', p: '' },
      /no entrypoint envoy\/authz\/allow, but a/,
    ],
    ['with data that is no JSON', { 'policy.wasm': '1', 'data.json': '{' }, /data\.json is no JSON/],
    ['with data that is no object', { 'policy.wasm': '1', 'data.json': '[]' }, /data\.json is no object/],
    [
      'with data said twice',
      { 'policy.wasm': '1', 'data.json': '{"a":{"b":1}}', 'a/data.json': '{"b":2}' },
      /says b a second time/,
    ],
    ['with data in YAML', { 'policy.wasm': '1', 'data.yaml': 'a: 1' }, /JSON only/],
    ['with a manifest that is none', { 'policy.wasm': '1', '.manifest': '7' }, /\.manifest is no object/],
  ];
  for (const [title, files, reason] of rejected) {
    it(`is rejected ${title}`, () => expect(rejection(files)).to.match(reason));
  }
});
