/** iperf3's JSON report as figures. */

export type IperfResult = { readonly bytes: number; readonly bitsPerSecond: number };

/** One TCP stream from the client's namespace. */
export function iperfArguments(options: { readonly host: string; readonly port: number; readonly seconds: number }): string[] {
  return ['iperf3', '-c', options.host, '-p', String(options.port), '-t', String(options.seconds), '-J'];
}

/** Throws with iperf3's own error when there is no sum of received bytes. */
export function parseIperf(text: string): IperfResult {
  const report = JSON.parse(text) as { error?: string; end?: { sum_received?: { bytes?: number; bits_per_second?: number } } };
  const sum = report.end?.sum_received;
  if (sum?.bytes === undefined || sum.bits_per_second === undefined)
    throw new Error(`iperf3 gave no result: ${report.error ?? text.slice(0, 400)}`);
  return { bytes: sum.bytes, bitsPerSecond: sum.bits_per_second };
}
