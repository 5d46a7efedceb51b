/** The independent HBONE client of peers/hbone_client.py, run in a pod's namespace. */
import { join } from 'node:path';
import { runIn } from './command.ts';

export type HboneCall = {
  readonly host: string;
  readonly port?: number;
  readonly cert?: string;
  readonly key?: string;
  readonly ca: string;
  readonly alpn?: readonly string[];
  readonly maxVersion?: '1.2' | '1.3';
  readonly streams?: readonly HboneStream[];
  /** Hexadecimal bytes instead of HTTP/2. */
  readonly raw?: string;
  /** Seconds. @default 5 */
  readonly timeout?: number;
};

type HboneStream = {
  readonly method?: string;
  readonly authority?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  /** Whether END_STREAM follows the body. @default true */
  readonly end?: boolean;
  readonly waitForData?: boolean;
};

export type HboneResult = {
  readonly connected: boolean;
  readonly tls: {
    readonly version: string;
    readonly cipher: string;
    readonly alpn: string | null;
    readonly peerUris: readonly string[];
  } | null;
  readonly alert: string | null;
  readonly closed: boolean;
  readonly error?: string;
  readonly settings: Readonly<Record<string, number>>;
  readonly streams: readonly {
    readonly status: number | null;
    readonly headers: readonly (readonly [string, string])[];
    readonly ended: boolean;
    readonly reset: number | null;
    readonly data: string;
  }[];
  readonly goaway: { readonly code: number; readonly last: number } | null;
  readonly received?: string;
};

/** Debian's own Python: the one that has the Debian package python3-h2. */
const python = '/usr/bin/python3';

export async function callHbone(namespacePath: string, call: HboneCall): Promise<HboneResult> {
  const script = join(import.meta.dirname, '../peers/hbone_client.py');
  const input = JSON.stringify({ port: 15008, streams: [], ...call });
  const result = await runIn(namespacePath, [python, '-B', script], { input });
  if (result.code !== 0) throw new Error(`the HBONE client failed (Debian package python3-h2 is needed): ${result.stderr}`);
  return JSON.parse(result.stdout) as HboneResult;
}
