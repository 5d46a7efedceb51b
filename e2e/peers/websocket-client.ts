/** Sends text and binary messages to an echo: websocket-client.ts URL. One line of JSON: messages that came back as sent. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';

const socket = new WebSocket(process.argv[2] ?? '');
await once(socket, 'open');
let text = 0;
let binary = 0;
for (let index = 0; index < 100; index++) {
  const sent = index % 2 === 0 ? Buffer.from(`message ${index}`) : randomBytes(100_000);
  socket.send(sent, { binary: index % 2 === 1 });
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean];
  if (!data.equals(sent) || isBinary !== (index % 2 === 1)) break;
  if (isBinary) binary++;
  else text++;
}
socket.close(1000);
const [code] = (await once(socket, 'close')) as [number];
process.stdout.write(`${JSON.stringify({ text, binary, code })}\n`);
