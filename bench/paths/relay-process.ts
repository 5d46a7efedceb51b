/**
 * The naive baseline: the least a relay in Node can do. It accepts, connects, pipes; no encryption, no identity, no policy.
 * Arguments: LISTEN_PORT=HOST:PORT, several of them.
 */
import { connect, createServer } from 'node:net';

for (const rule of process.argv.slice(2)) {
  const [port = '', host = '', target = ''] = rule.split(/[=:]/);
  createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const server = connect({ host, port: Number(target), noDelay: true, allowHalfOpen: true });
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  }).listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 }, () => console.log(`listening ${port}`));
}
