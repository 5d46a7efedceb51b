/** `clearmesh why FROM TO`: whether one pod may reach another, which policy decides, and what to change. */
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import { normalisePath } from '@clearmesh/shared/route/normalise-path';
import { openMesh } from '../mesh/open-mesh.ts';
import type { MeshPlace } from '../mesh/open-mesh.ts';
import type { Verdict } from '../why/connection.ts';
import { explain } from '../why/explain.ts';
import { parseFrom, parseTo } from '../why/question.ts';
import type { AskedRequest } from '../why/question.ts';
import { renderExplanation } from '../why/render.ts';
import type { CommandDeps } from './command-deps.ts';

export type WhyOptions = {
  readonly from: string;
  readonly to: string;
  readonly method?: string;
  readonly path?: string;
  readonly place: MeshPlace;
  readonly output: 'table' | 'json';
};

const exitCodes: Readonly<Record<Verdict, number>> = { ALLOWED: 0, REFUSED: 1, DEPENDS: 3 };

/** Exit status 0 for ALLOWED, 1 for REFUSED, 3 for DEPENDS. */
export async function runWhy(
  options: WhyOptions,
  { clock, env, console }: Pick<CommandDeps, 'clock' | 'env' | 'console'>,
  signal: AbortSignal,
): Promise<number> {
  const question = { from: parseFrom(options.from), to: parseTo(options.to), asked: askedRequest(options) };
  const explanation = explain(await openMesh(options.place, { clock, env }, signal), question);
  if (options.output === 'json') console.print(`${JSON.stringify(explanation, undefined, 2)}\n`);
  else console.print(`${renderExplanation(explanation, console.width(), console.style).join('\n')}\n`);
  return exitCodes[explanation.verdict];
}

/** As a waypoint would read it. */
function askedRequest({ method, path }: WhyOptions): AskedRequest {
  if (method !== undefined && !/^[A-Za-z-]+$/.test(method)) throw unusable('--method', method, 'Write a method such as GET.');
  const read = path === undefined ? undefined : normalisePath(path);
  if (read?.kind === 'refused' || path?.startsWith('/') === false) {
    const why = read?.kind === 'refused' ? read.reason : 'it does not begin with a slash';
    throw unusable('--path', path ?? '', `A waypoint refuses it too: ${why}.`);
  }
  return {
    ...(method === undefined ? {} : { method: method.toUpperCase() }),
    ...(read === undefined ? {} : { path: read.path }),
  };
}

function unusable(flag: string, value: string, hint: string): MeshError {
  return new MeshError('MESH-CONFIG-003', { message: `${flag}: ${value} cannot be asked for`, hint });
}
