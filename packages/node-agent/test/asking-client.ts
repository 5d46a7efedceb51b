/** A server, and a client that asks it without end, on fresh connections and on kept ones, and tells what came of it. */
import { expect } from 'chai';
import { addressOf } from './agent-bed.ts';
import type { AgentBed, Conversation } from './agent-bed.ts';

/** Answers with the address of its client. */
export const server = `require('node:http').createServer({ keepAliveTimeout: 600_000 }, (request, response) => response.end(request.socket.remoteAddress))
  .listen(8080, '0.0.0.0', () => console.log('ready'));`;

/** Asks in turn on each of several connections until it is told to stop, then says what came of it. */
const client = `
  const http = require('node:http');
  const seen = { fresh: 0, kept: 0, slowestMs: 0, from: {}, lost: [] };
  const ask = (kind, agent) => new Promise((resolve) => {
    const startedMs = performance.now();
    const request = http.get({ host: '${addressOf('ledger')}', port: 8080, agent, timeout: 5000 }, async (response) => {
      try { let text = ''; for await (const part of response) text += part; seen[kind]++; seen.from[text] = kind; seen.slowestMs = Math.max(seen.slowestMs, performance.now() - startedMs); }
      catch (error) { seen.lost.push(kind + ' answer ' + error.code); }
      resolve();
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => { seen.lost.push(kind + ' ' + (error.code ?? error.message)); resolve(); });
  });
  let going = true;
  const loop = async (kind, agent) => { while (going) { await ask(kind, agent); await new Promise((next) => setTimeout(next, 10)); } };
  const kept = () => new http.Agent({ keepAlive: true, maxSockets: 1 });
  const loops = [loop('fresh', false), loop('fresh', false), loop('fresh', false), loop('kept', kept()), loop('kept', kept())];
  process.stdin.on('data', () => (going = false));
  Promise.all(loops).then(() => { console.log(JSON.stringify(seen)); process.exit(); });
  setTimeout(() => console.log('going'), 200);`;

export type Seen = {
  readonly fresh: number;
  readonly kept: number;
  readonly slowestMs: number;
  readonly from: Readonly<Record<string, string>>;
  readonly lost: readonly string[];
};

/** Resolves once the client in `payments` asks the server in `ledger`. */
export async function startAsking(bed: AgentBed): Promise<Conversation> {
  const conversation = bed.converse('payments', client);
  expect(await conversation.next()).to.equal('going');
  return conversation;
}

/** Ends it. */
export async function seenBy(conversation: Conversation): Promise<Seen> {
  conversation.say('stop\n');
  return JSON.parse(await conversation.next()) as Seen;
}
