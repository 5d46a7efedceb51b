/** One HTTP request to the node agent over its unix socket. */
import { request } from 'node:http';
import { CniError, cniCodes } from './cni-error.ts';

/** More than the agent ever says. */
const maxAnswerBytes = 64 * 1024;

export type AgentCall = { readonly socket: string; readonly path: string; readonly body: string; readonly timeoutMs: number };

/** Resolves when the agent grants it; rejects with a {@link CniError} that names the remedy. */
export function callAgent({ socket, path, body, timeoutMs }: AgentCall): Promise<void> {
  return new Promise((resolve, reject) => {
    const unanswered = (reason: string): void => reject(noAnswer(socket, reason));
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ socketPath: socket, path, method: 'POST', headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > maxAnswerBytes) sent.destroy(new Error(`its answer is longer than ${maxAnswerBytes} bytes`));
      });
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(refusalOf(text, response.statusCode ?? 0))));
      response.on('error', (error) => unanswered(error.message));
    });
    const late = setTimeout(() => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    sent.on('error', (error) => unanswered(error.message));
    sent.on('close', () => clearTimeout(late));
    sent.end(body);
  });
}

function noAnswer(socket: string, reason: string): CniError {
  return new CniError(
    cniCodes.tryAgainLater,
    `the Clearmesh node agent does not answer at ${socket}: ${reason}`,
    'No pod starts that could miss the mesh. See why the pod of DaemonSet clearmesh-node-agent on this node is not running; the kubelet tries again by itself.',
  );
}

/** What the agent said; a text it cannot have said is told as it came. */
function refusalOf(text: string, status: number): CniError {
  try {
    const { code, message, details } = JSON.parse(text) as { readonly [key: string]: unknown };
    if (typeof code === 'number' && typeof message === 'string' && typeof details === 'string')
      return new CniError(code, message, details);
  } catch {
    // Told below.
  }
  const remedy = 'The plugin and the agent may be of different versions: restart the agent, which installs its own plugin.';
  return new CniError(cniCodes.ioFailure, `the node agent answered ${status}: ${text.slice(0, 200)}`, remedy);
}
