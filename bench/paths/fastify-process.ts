/**
 * The naive baseline: fastify and @fastify/http-proxy as they come. It has no identity, no policy, no metrics, no log.
 * Arguments: LISTEN_PORT UPSTREAM_URL.
 */
import httpProxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const [port = '', upstream = ''] = process.argv.slice(2);
const app = Fastify();
await app.register(httpProxy, { upstream });
await app.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
