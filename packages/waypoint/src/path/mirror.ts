/** Copies of safe requests for another backend, whose answers nobody waits for. */
import { streamOf } from '../exchange/answer-body.ts';
import type { Backends } from '../forward/backends.ts';
import type { DispatchRequest } from '../forward/dispatch-request.ts';
import type { Backend } from './backend.ts';

/** A copy may take no longer than this, milliseconds. */
const limitMs = 10_000;

/** Sends a copy; it is observed by nobody, and whatever becomes of it changes nothing. */
export function mirror(request: DispatchRequest, { key, endpoints }: Backend, backends: Backends): void {
  const { onAttempt: _observed, body: _body, ...copied } = request;
  const copy = {
    ...copied,
    endpoints,
    body: undefined,
    headers: { ...request.headers },
    authority: `${request.authority}-shadow`,
  };
  void backends
    .of(key)
    .dispatch(copy, AbortSignal.timeout(limitMs))
    .then((result) => {
      if (result.kind === 'answer') streamOf(result.answer.body).resume();
    });
}
