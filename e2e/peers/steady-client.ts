/**
 * Callers that never stop asking: steady-client.ts URL MILLISECONDS [CALLERS]. Half of them keep their connection, half
 * make one for each request. One line of JSON: what they got, by second.
 */
import { Agent, request } from 'node:http';

const [url = '', forMs = '1000', callers = '16'] = process.argv.slice(2);
const startMs = performance.now();
const seconds: Record<string, number>[] = [];
const kept = new Agent({ keepAlive: true });
const fresh = new Agent({ keepAlive: false });

function ask(agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    request(url, { agent, timeout: 10_000 }, (response) => {
      response.on('error', (error) => resolve(`cut: ${error.message}`));
      response.on('end', () => resolve(String(response.statusCode)));
      response.resume();
    })
      .on('timeout', () => resolve('timeout'))
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .end();
  });
}

async function caller(agent: Agent): Promise<void> {
  for (let at = 0; at < Number(forMs); at = performance.now() - startMs) {
    const result = await ask(agent);
    const second = (seconds[Math.floor(at / 1_000)] ??= {});
    second[result] = (second[result] ?? 0) + 1;
  }
}

await Promise.all(Array.from({ length: Number(callers) }, (_, index) => caller(index % 2 === 0 ? kept : fresh)));
process.stdout.write(`${JSON.stringify(seconds)}\n`);
kept.destroy();
