import { expect } from 'chai';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, it } from 'mocha';
import { chooseEncoding, compress, toOpenMetrics, wantsOpenMetrics } from '../../src/admin/exposition.ts';

describe('exposition', () => {
  const encodings: readonly [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['gzip, br, zstd', 'zstd'],
    ['GZIP;q=0.5', 'gzip'],
    ['zstd;q=0, gzip', 'gzip'],
    ['gzip;q=nonsense', undefined],
  ];
  for (const [header, encoding] of encodings) {
    it(`compresses "${header}" as ${encoding}`, () => expect(chooseEncoding(header)).to.equal(encoding));
  }

  it('compresses what can be read back', async () => {
    const page = 'metric 1\n'.repeat(500);
    expect(gunzipSync(await compress(page, 'gzip')).toString()).to.equal(page);
    expect(brotliDecompressSync(await compress(page, 'br')).toString()).to.equal(page);
    expect(zstdDecompressSync(await compress(page, 'zstd')).toString()).to.equal(page);
  });

  it('knows who asks for OpenMetrics', () => {
    expect(wantsOpenMetrics('application/openmetrics-text;version=1.0.0,text/plain;q=0.5')).to.equal(true);
    expect([wantsOpenMetrics('text/plain'), wantsOpenMetrics(undefined)]).to.deep.equal([false, false]);
  });

  it('names counter families without _total in OpenMetrics, keeps the samples, and marks the end', () => {
    const text =
      '# HELP a_total A\n# TYPE a_total counter\na_total{x="y"} 1\n\n# HELP b_total odd\n# TYPE b_total gauge\nb_total 2\n';
    expect(toOpenMetrics(text)).to.equal(
      '# HELP a A\n# TYPE a counter\na_total{x="y"} 1\n# HELP b_total odd\n# TYPE b_total gauge\nb_total 2\n# EOF\n',
    );
  });
});
