/**
 * `clearmesh-cni`: the CNI plugin, chained after the one that makes the pod's network. It asks the node agent and says what
 * the agent said. It runs once for each pod and must be quick: it imports node's own modules and this folder, nothing else.
 *
 * C1  ADD fails closed: a pod that may be in the mesh does not start unless the agent says so.
 * C2  DEL always succeeds: a pod must be able to go whatever became of the mesh.
 * C3  standard output has the answer and nothing else; what a person may want to know goes to standard error.
 */
import { readFileSync } from 'node:fs';
import { callAgent } from './agent-call.ts';
import { CniError, cniCodes, errorObject } from './cni-error.ts';
import { readInvocation, versionFor } from './invocation.ts';
import type { Invocation } from './invocation.ts';
import { callPaths } from './pod-call.ts';

async function main(): Promise<void> {
  let input = '';
  try {
    input = readFileSync(0, 'utf8');
    process.stdout.write(await perform(readInvocation(process.env, input, process.pid)));
  } catch (thrown) {
    const error = thrown instanceof CniError ? thrown : defect(thrown);
    if (process.env['CNI_COMMAND'] === 'DEL') {
      process.stderr.write(`clearmesh-cni: ${error.message}. ${error.details}\n`);
      return;
    }
    process.stdout.write(errorObject(error, versionFor(input)));
    process.exitCode = 1;
  }
}

/** What goes to standard output. */
async function perform(invocation: Invocation): Promise<string> {
  if (invocation.kind === 'answer') return invocation.output;
  const { socket, timeoutMs, statusFromAgent } = invocation.entry;
  if (invocation.kind === 'status') {
    // A node whose STATUS fails counts as not ready, and all its pods with it: too much for an agent that restarts.
    if (statusFromAgent) await callAgent({ socket, path: callPaths.status, body: '{}', timeoutMs }).catch(unavailable);
    return '';
  }
  await callAgent({ socket, path: callPaths[invocation.kind], body: JSON.stringify(invocation.call), timeoutMs });
  return invocation.kind === 'add' ? invocation.result : '';
}

function unavailable(error: CniError): never {
  throw new CniError(cniCodes.unavailable, error.message, error.details);
}

function defect(thrown: unknown): CniError {
  const reason = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return new CniError(cniCodes.ioFailure, `clearmesh-cni failed: ${reason}`, 'This is a defect of Clearmesh; report it.');
}

void main();
