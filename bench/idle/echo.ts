/** What idle connections are opened to: answers every byte with itself, and says nothing else. */
import { createServer } from 'node:net';

createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}).listen({ port: 8080, host: '0.0.0.0', backlog: 4096 });
