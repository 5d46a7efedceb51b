/** Starts a supervised process, prints its number and waits to be killed. */
import { systemClock } from '@clearmesh/shared/lifecycle/clock';
import { supervise } from '../../src/process/supervised-process.ts';

const child = await supervise({ name: 'child', command: ['sleep', '60'] }, { clock: systemClock, env: process.env });
process.stdout.write(`${child.pid}\n`);
await child.exited;
