/** The receiver as a process, and what a waypoint's tracing sends to it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import { TraceReceiver } from '../../src/trace-receiver/receiver-server.ts';
import type { TraceSummary } from '../../src/trace-receiver/trace-store.ts';
import { TraceStore } from '../../src/trace-receiver/trace-store.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const body = JSON.stringify({
  resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId: '00f067aa0ba902b7', name: 'GET' }] }] }],
});
const json = { 'content-type': 'application/json' };

class Program implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(): Promise<Program> {
    const main = fileURLToPath(new URL('../../src/trace-receiver/main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, '--port', '0', '--traces', '10'], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url] = /^trace-receiver ready on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line) ?? [];
      if (url !== undefined) return new Program(url, child);
    }
    throw new Error('the receiver ended before it was ready');
  }

  /** The exit status. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

describe('trace receiver', () => {
  it('is a process that says when it is ready, shows what it got, and ends by SIGTERM', async () => {
    await using program = await Program.start();
    expect(await (await fetch(`${program.url}/healthz`)).text()).to.equal('ok\n');
    const exported = await fetch(`${program.url}/v1/traces`, { method: 'POST', headers: json, body });
    expect([exported.status, await exported.text()]).to.deep.equal([200, '{}']);
    const summaries = (await (await fetch(`${program.url}/traces`)).json()) as TraceSummary[];
    expect(summaries.map((summary) => summary.traceId)).to.deep.equal([traceId]);
    const trace = (await (await fetch(`${program.url}/traces/${traceId}`)).json()) as { spans: unknown[] };
    expect(trace.spans).to.have.length(1);
    expect(await program.stop()).to.equal(0);
  });

  for (const [name, path, init, status] of [
    ['gzip', '/v1/traces', { headers: { ...json, 'content-encoding': 'gzip' }, body: gzipSync(body) }, 200],
    ['an empty protobuf export', '/v1/traces', { headers: { 'content-type': 'application/x-protobuf' } }, 200],
    ['protobuf that is none', '/v1/traces', { headers: { 'content-type': 'application/x-protobuf' }, body: 'xxx' }, 400],
    ['JSON that is none', '/v1/traces', { headers: json, body: '{' }, 400],
    ['gzip that is none', '/v1/traces', { headers: { ...json, 'content-encoding': 'gzip' }, body: 'x' }, 400],
    ['another type', '/v1/traces', { headers: { 'content-type': 'text/csv' }, body: 'x' }, 415],
    ['too much', '/v1/traces', { headers: json, body: 'x'.repeat(20_000) }, 413],
    [
      'too much once unpacked',
      '/v1/traces',
      { headers: { ...json, 'content-encoding': 'gzip' }, body: gzipSync(' '.repeat(1_000_000)) },
      400,
    ],
    ['GET of the export', '/v1/traces', { method: 'GET' }, 405],
    ['POST of the list', '/traces', {}, 405],
    ['an unknown trace', `/traces/${traceId}`, { method: 'GET' }, 404],
    ['another path', '/', { method: 'GET' }, 404],
  ] as const) {
    it(`answers ${name} with ${status}`, async () => {
      await using receiver = await TraceReceiver.listen({ port: 0, maxBytes: 10_000 }, { store: new TraceStore() });
      const answer = await fetch(`${receiver.url}${path}`, { method: 'POST', ...init });
      await answer.text();
      expect(answer.status).to.equal(status);
    });
  }
});
