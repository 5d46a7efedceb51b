/**
 * What an application of a mesh heard, and nothing of it late: its lines come through pipes, later than the answers of its
 * calls. A call of our own marks a moment; once its end is told, all that was heard before it is.
 */
import { callTcp } from './tcp-client.ts';
import type { RunningMesh } from './mesh.ts';

const vip = '10.96.1.1';
const application = 'bank/server';
/** Bytes of a mark: more than anybody else sends in one piece, and no two alike. */
let nextBytes = 2_000;

/** Lines that the application had written when it heard the mark, and where they go on behind it. */
async function mark(mesh: RunningMesh): Promise<{ readonly before: number; readonly behind: number }> {
  const bytes = nextBytes++;
  const isMark = (line: string): boolean => line.includes(`"bytes":${bytes}}`);
  let isHeard = false;
  const ended = mesh.line(({ process, line }) => {
    if (process !== application) return false;
    isHeard ||= isMark(line);
    return isHeard && line.includes('"event":"end"');
  });
  const outcome = await callTcp(mesh.pod('bank/client'), vip, 80, 'm'.repeat(bytes));
  if (outcome.received.length !== bytes) throw new Error(`the mark was not answered: ${JSON.stringify(outcome)}`);
  await ended;
  const lines = mesh.linesOf(application);
  // Its connection, its bytes, its end.
  const at = lines.findIndex(isMark);
  return { before: at - 1, behind: at + 2 };
}

/** What the application heard while something was done. */
export async function heardDuring<T>(mesh: RunningMesh, act: () => Promise<T>): Promise<{ result: T; heard: readonly string[] }> {
  const { behind } = await mark(mesh);
  const result = await act();
  const { before } = await mark(mesh);
  return { result, heard: mesh.linesOf(application).slice(behind, before) };
}
