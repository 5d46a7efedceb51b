import fc from 'fast-check';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { PLUGIN_TYPE, activeFile, withEntry, withoutEntry } from '../../src/install/conflist.ts';
import type { Edit } from '../../src/install/conflist.ts';

const entry = { socket: '/run/p.sock', excludeNamespaces: ['kube-system'], systemNamespace: 'clearmesh-system' };
const file = '10-net.conflist';
const versions = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

type Written = Extract<Edit, { readonly kind: 'write' }>;
type Config = { readonly [key: string]: unknown; readonly plugins: readonly { readonly type: string }[] };

function written(edit: Edit): Written & { readonly config: Config } {
  if (edit.kind !== 'write') throw new Error(`the file is ${edit.kind}`);
  return { ...edit, config: JSON.parse(edit.text) as Config };
}

/** Whatever a network's author may write. */
const plugin = fc.record({
  type: fc.constantFrom('bridge', 'ptp', 'portmap', 'calico'),
  ipam: fc.json().map((text) => JSON.parse(text) as unknown),
});
const others = fc.record({
  name: fc.string(),
  disableCheck: fc.boolean(),
  more: fc.json().map((text) => JSON.parse(text) as unknown),
});
const list = fc
  .tuple(others, fc.constantFrom(...versions), fc.array(plugin, { minLength: 1, maxLength: 4 }))
  .map(([rest, cniVersion, plugins]) => ({ ...rest, cniVersion, plugins }));

describe('the entry in the network configuration', () => {
  it('stands last and leaves everything else as it is, and is not written twice', () => {
    fc.assert(
      fc.property(list, (config) => {
        const first = written(withEntry(file, JSON.stringify(config), entry));
        expect(first.fileName).to.equal(file);
        expect(first.config).to.deep.equal({ ...config, plugins: [...config.plugins, { type: PLUGIN_TYPE, ...entry }] });
        expect(withEntry(file, first.text, entry)).to.deep.equal({ kind: 'unchanged' });
      }),
    );
  });

  it('leaves what was there when it is taken away', () => {
    fc.assert(
      fc.property(list, (config) => {
        const { text } = written(withEntry(file, JSON.stringify(config), entry));
        expect(written(withoutEntry(file, text)).config).to.deep.equal(config);
        expect(withoutEntry(file, JSON.stringify(config))).to.deep.equal({ kind: 'unchanged' });
      }),
    );
  });

  it('makes a list of a single plugin, and the single plugin of it again', () => {
    fc.assert(
      fc.property(plugin, fc.constantFrom(...versions), fc.constantFrom('conf', 'json'), (single, cniVersion, extension) => {
        const name = `05-net.${extension}`;
        const config = { cniVersion, name: 'net', ...single };
        const made = written(withEntry(name, JSON.stringify(config), entry));
        expect([made.fileName, made.obsolete]).to.deep.equal(['05-net.conflist', name]);
        expect(made.config.plugins.map(({ type }) => type)).to.deep.equal([single.type, PLUGIN_TYPE]);
        const back = written(withoutEntry('05-net.conflist', made.text));
        expect([back.fileName, back.obsolete]).to.deep.equal([name, '05-net.conflist']);
        expect(back.config).to.deep.equal(config);
      }),
    );
  });

  it('stays where somebody has put it, and is brought up to date there, once', () => {
    const plugins = [{ type: 'bridge' }, { type: PLUGIN_TYPE, socket: '/old' }, { type: 'portmap' }, { type: PLUGIN_TYPE }];
    const { config } = written(withEntry(file, JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins }), entry));
    expect(config.plugins).to.deep.equal([{ type: 'bridge' }, { type: PLUGIN_TYPE, ...entry }, { type: 'portmap' }]);
  });

  it('is the same whatever the order of its keys', () => {
    const { socket, ...more } = entry;
    const plugins = [{ type: 'bridge' }, { ...more, socket, type: PLUGIN_TYPE }];
    expect(withEntry(file, JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins }), entry).kind).to.equal('unchanged');
  });

  for (const { title, text, reason } of [
    { title: 'no JSON', text: '{"cniVersion": ', reason: /^it is not JSON/ },
    { title: 'no object', text: '[1]', reason: /not a JSON object/ },
    { title: 'no plugin', text: '{"cniVersion":"1.0.0"}', reason: /neither plugins nor a type/ },
    { title: 'a version without chains', text: '{"cniVersion":"0.2.0","plugins":[{"type":"a"}]}', reason: /"0.2.0"/ },
    { title: 'no version', text: '{"plugins":[{"type":"a"}]}', reason: /missing/ },
    {
      title: 'nobody who makes a network',
      text: `{"cniVersion":"1.0.0","plugins":[{"type":"${PLUGIN_TYPE}"}]}`,
      reason: /no plugin that makes/,
    },
  ]) {
    it(`is not written into a file with ${title}`, () => {
      const edit = withEntry(file, text, entry);
      expect(edit.kind).to.equal('unusable');
      expect('reason' in edit ? edit.reason : '').to.match(reason);
    });
  }

  it('never throws, whatever the file holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(withEntry(file, text, entry).kind).to.be.oneOf(['write', 'unusable']);
        expect(withoutEntry(file, text).kind).to.be.oneOf(['unchanged', 'unusable']);
      }),
    );
  });
});

describe('activeFile', () => {
  it('is the first of those that the container runtime reads', () => {
    expect(activeFile(['20-b.conflist', '.10-a.conflist.clearmesh-1', 'README', '10-a.conf'], '')).to.equal('10-a.conf');
    expect(activeFile(['README'], '')).to.equal(undefined);
  });

  it('is the one named, or what it has been made into', () => {
    expect(activeFile(['10-a.conf', '20-b.conf'], '20-b.conf')).to.equal('20-b.conf');
    expect(activeFile(['10-a.conf', '20-b.conflist'], '20-b.conf')).to.equal('20-b.conflist');
    expect(activeFile(['10-a.conf'], '20-b.conf')).to.equal(undefined);
  });
});
