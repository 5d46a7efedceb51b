/** A request as the next stage sees it: changes applied, so that no policy reads what the service will not. */
import type { RequestFacts, RequestHeaders } from '../exchange/request-facts.ts';
import type { RequestChanges } from '../exchange/stage.ts';
import { queryWithout } from './jwt-places.ts';

type QueryChanges = NonNullable<RequestChanges['query']>;

/** The request itself where nothing changes. */
export function changedRequest(request: RequestFacts, { set, remove, query }: RequestChanges): RequestFacts {
  const sets = Object.keys(set).length > 0;
  const removes = remove.some((name) => request.headers[name] !== undefined);
  if (!sets && !removes && query === undefined) return request;
  return {
    ...request,
    headers: sets || removes ? changedHeaders(request.headers, set, remove) : request.headers,
    query: query === undefined ? request.query : changedQuery(request.query, query),
  };
}

function changedHeaders(headers: RequestHeaders, set: RequestChanges['set'], remove: RequestChanges['remove']): RequestHeaders {
  const changed: Record<string, string | readonly string[] | undefined> = { ...headers };
  for (const name of remove) delete changed[name];
  return Object.assign(changed, set);
}

/** A parameter that is set replaces all of its name. */
function changedQuery(query: string, { set, remove }: QueryChanges): string {
  const names = Object.keys(set);
  const kept = query === '' ? '' : queryWithout(query, [...remove, ...names]);
  const added = names.flatMap((name) =>
    (set[name] ?? []).map((value) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`),
  );
  return (kept === '' ? added : [kept, ...added]).join('&');
}

/** Both, the later one deciding where they differ. */
export function mergedChanges(first: RequestChanges, then: RequestChanges): RequestChanges {
  const set: Record<string, string> = { ...first.set };
  for (const name of then.remove) delete set[name];
  Object.assign(set, then.set);
  const query = mergedQuery(first.query, then.query);
  return {
    set,
    remove: [...new Set([...first.remove, ...then.remove])].filter((name) => !Object.hasOwn(set, name)),
    ...(query === undefined ? {} : { query }),
  };
}

function mergedQuery(first: RequestChanges['query'], then: RequestChanges['query']): RequestChanges['query'] {
  if (first === undefined || then === undefined) return first ?? then;
  const kept = Object.entries(first.set).filter(([name]) => !then.remove.includes(name));
  return { set: { ...Object.fromEntries(kept), ...then.set }, remove: [...new Set([...first.remove, ...then.remove])] };
}
