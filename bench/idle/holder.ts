/**
 * Holds idle connections: HOST PORT COUNT. Writes "open" once each of them has carried a byte there and back, holds them
 * until standard input ends, and then writes how many were lost meanwhile.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

const [host = '', port = '', countText = '0'] = process.argv.slice(2);
const count = Number(countText);
/** Below the backlogs on the way. */
const atOnce = 64;

let opened = 0;
let lost = 0;
const held: Socket[] = [];

async function openSome(): Promise<void> {
  while (opened < count) {
    opened += 1;
    const socket = connect({ host, port: Number(port), noDelay: true });
    socket.on('error', () => {});
    socket.write('x');
    await once(socket, 'data');
    socket.on('close', () => (lost += 1));
    held.push(socket);
  }
}

await Promise.all(Array.from({ length: atOnce }, openSome));
console.log('open');
process.stdin.resume();
await once(process.stdin, 'end');
console.log(lost);
for (const socket of held) socket.resetAndDestroy();
