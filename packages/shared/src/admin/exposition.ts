/** How a scrape is answered: text or OpenMetrics by `accept`, compressed by `accept-encoding` (l4-contract section 11.1). */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';

export type Encoding = 'zstd' | 'br' | 'gzip';

export const textType = 'text/plain; version=0.0.4; charset=utf-8';
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const compressors: Readonly<Record<Encoding, (body: string) => Promise<Buffer>>> = {
  zstd: promisify(zstdCompress),
  // The default, 11, takes seconds of processor time for a large page.
  br: (body) => promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: promisify(gzip),
};

const preferred: readonly Encoding[] = ['zstd', 'br', 'gzip'];

/** Prometheus asks for OpenMetrics explicitly; everything else gets the text format. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  return /application\/openmetrics-text/i.test(accept ?? '');
}

/** The first encoding both sides know, unless the client excludes it with `q=0` (RFC 9110 section 12.5.3). */
export function chooseEncoding(acceptEncoding: string | undefined): Encoding | undefined {
  const offered = new Map<string, number>();
  for (const part of (acceptEncoding ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    offered.set(name, quality === undefined ? 1 : Number(quality.slice(2)));
  }
  return preferred.find((encoding) => (offered.get(encoding) ?? 0) > 0);
}

export function compress(body: string, encoding: Encoding): Promise<Buffer> {
  return compressors[encoding](body);
}

/**
 * The text page as OpenMetrics: a counter's family has no `_total`, blank lines are not allowed, and the end is marked.
 * prom-client can write OpenMetrics itself, but renames its counters for good while it does.
 */
export function toOpenMetrics(text: string): string {
  const counters = new Set(Array.from(text.matchAll(/^# TYPE (\S+)_total counter$/gm), ([, family]) => family));
  const lines = text.split('\n').filter((line) => line !== '');
  const renamed = lines.map((line) =>
    line.replace(/^# (HELP|TYPE) (\S+)_total /, (whole, kind: string, family: string) =>
      counters.has(family) ? `# ${kind} ${family} ` : whole,
    ),
  );
  return `${renamed.join('\n')}\n# EOF\n`;
}
