import { expect } from 'chai';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { withProxyConfig } from '../src/proxy-config.ts';

const own = (text: string): { readonly proxyConfig: { readonly name: string; readonly text: string } } => ({
  proxyConfig: { name: 'PROXY_CONFIG', text },
});
const mesh = (text: string): { readonly mesh: { readonly name: string; readonly text: string } } => ({
  mesh: { name: 'etc/mesh', text },
});

describe('withProxyConfig', () => {
  it('gives each field as the variable that says the same', () => {
    const text = `
discoveryAddress: istiod.example:15012
proxyAdminPort: 15555
statsPort: 15556
concurrency: 3
proxyMetadata: { ISTIO_META_CLUSTER_ID: cl-2, DNS_CAPTURE: "false" }`;
    expect(withProxyConfig({ NODE_NAME: 'a' }, own(text))).to.deep.equal({
      NODE_NAME: 'a',
      XDS_ADDRESS: 'https://istiod.example:15012',
      PROXY_ADMIN_PORT: '15555',
      STATS_PORT: '15556',
      ZTUNNEL_WORKER_THREADS: '3',
      ISTIO_META_CLUSTER_ID: 'cl-2',
      ISTIO_META_DNS_CAPTURE: 'false',
    });
  });

  it('gives what the mesh’s file says of every proxy, and passes over the rest of it', () => {
    const text = 'rootNamespace: istio-system\ndefaultConfig: { discoveryAddress: a:1, tracing: {} }';
    expect(withProxyConfig({}, mesh(text))).to.deep.equal({ XDS_ADDRESS: 'https://a:1' });
  });

  const layers = { ...own('{ discoveryAddress: own:1, proxyMetadata: { A: own, B: own } }') };
  const beneath = mesh('defaultConfig: { discoveryAddress: mesh:1, statsPort: 9, proxyMetadata: { B: mesh, C: mesh } }');

  it('lets PROXY_CONFIG win over the mesh’s file, and joins their metadata', () => {
    expect(withProxyConfig({}, { ...layers, ...beneath })).to.deep.equal({
      XDS_ADDRESS: 'https://own:1',
      STATS_PORT: '9',
      ISTIO_META_A: 'own',
      ISTIO_META_B: 'own',
      ISTIO_META_C: 'mesh',
    });
  });

  it('lets the environment win over both, even where it says nothing on purpose', () => {
    const env = { XDS_ADDRESS: '', ISTIO_META_B: 'env' };
    expect(withProxyConfig(env, { ...layers, ...beneath })).to.include(env);
  });

  it('lets an empty discovery address switch discovery off', () => {
    expect(withProxyConfig({}, own('discoveryAddress: ""'))).to.deep.equal({ XDS_ADDRESS: '' });
  });

  it('leaves the environment as it is when there is nothing in the texts', () => {
    expect(withProxyConfig({ A: '1' }, { ...own('# nothing'), ...mesh('{}') })).to.deep.equal({ A: '1' });
  });

  const refused: readonly [string, Parameters<typeof withProxyConfig>[1], RegExp][] = [
    ['no YAML', own('a: ['), /PROXY_CONFIG:1:\d+: /],
    ['two documents', own('{}\n---\n{}'), /PROXY_CONFIG:1:1: must hold one document/],
    ['a list', own('[]'), /PROXY_CONFIG:1:1: .*must be of type object/],
    ['a port that is none', mesh('defaultConfig:\n  statsPort: 0'), /etc\/mesh:2:14: defaultConfig\.statsPort.*\(found 0\)/],
    [
      'an address without TLS',
      own('discoveryAddress: http://a:1'),
      /discoveryAddress: must be HOST:PORT or https.*"http:\/\/a:1"/,
    ],
    ['half a thread', own('concurrency: 0.5'), /concurrency: must be of type integer \(found 0\.5\)/],
    ['metadata that YAML takes for a truth', own('proxyMetadata: { DNS_CAPTURE: true }'), /DNS_CAPTURE.*\n.*in quotes: "true"/],
  ];
  for (const [what, texts, message] of refused) {
    it(`refuses ${what}, with its place`, () => {
      expect(() => withProxyConfig({}, texts))
        .to.throw(MeshError, message)
        .with.property('code', 'MESH-CONFIG-003');
    });
  }

  it('names what is wrong with both at once', () => {
    expect(() => withProxyConfig({}, { ...own('concurrency: x'), ...mesh('defaultConfig: { statsPort: y }') })).to.throw(
      /2 problem\(s\).*etc\/mesh.*PROXY_CONFIG/s,
    );
  });

  it('reads or refuses whatever the text is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(withProxyConfig({ A: '1' }, own(text))).to.include({ A: '1' });
        } catch (error) {
          expect(error).to.be.instanceOf(MeshError);
        }
      }),
    );
  });
});
