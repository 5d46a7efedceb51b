/**
 * Records an interface where tcpdump cannot. A program of its own, since its reads block.
 *
 *   node recorder-main.ts <interface index> <file>
 */
import { openSync, readSync, writeSync } from 'node:fs';
import * as libc from '@clearmesh/linux/libc';
import { pcapFileHeader, pcapRecordHeader, snapshotBytes } from './pcap-writer.ts';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 3;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
/** The kernel grants what net.core.rmem_max allows. */
const receiveBufferBytes = 32 * 1024 * 1024;

function openInterface(index: number): number {
  // Protocol 0 receives nothing until bind names the interface, so that no other one's packets slip in (packet(7)).
  const fd = libc.check(libc.socket(AF_PACKET, SOCK_RAW, 0), 'socket', 'AF_PACKET');
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, Int32Array.of(receiveBufferBytes), 4);
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(index, 4);
  libc.check(libc.bind(fd, address, address.length), 'bind', `interface ${index}`);
  return fd;
}

function record(index: number, path: string): void {
  const socket = openInterface(index);
  const file = openSync(path, 'wx', 0o600);
  writeSync(file, pcapFileHeader());
  // The word tcpdump says when it is ready.
  writeSync(2, `listening on interface ${index}\n`);
  const frame = Buffer.allocUnsafe(snapshotBytes);
  for (;;) {
    const length = readSync(socket, frame, 0, frame.length, null);
    const atUs = (performance.timeOrigin + performance.now()) * 1000;
    writeSync(file, Buffer.concat([pcapRecordHeader(atUs, length), frame.subarray(0, length)]));
  }
}

record(Number(process.argv[2]), process.argv[3] ?? '');
