#!/usr/bin/env node
// Starts clearmesh under a Node that can run it. Plain JavaScript: the Node on PATH may be too old for everything else.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = join(dirname(fileURLToPath(import.meta.url)), '../src/main.ts');
// Type stripping without a flag or a warning.
const needed = [24, 12];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > needed[0] || (major === needed[0] && minor >= needed[1])) {
  process.argv[1] = main;
  await import(main);
} else {
  runWith(installedNode());
}

function installedNode() {
  try {
    const path = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin/node');
    if (existsSync(path)) return path;
  } catch {
    // Not installed: said below.
  }
  process.stderr.write(
    `clearmesh: Node ${process.version} is too old. Install Node ${needed.join('.')} or later, or run npm install in Clearmesh's directory.\n`,
  );
  process.exit(1);
}

function runWith(node) {
  const env = { ...process.env, CLEARMESH_LAUNCHER: String(process.pid) };
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit', env });
  // Ctrl-C reaches the child through the terminal as well; it takes two at once for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
