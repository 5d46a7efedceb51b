/** The control plane's status of objects as rows, one a condition. Pure. */
import type { Condition, ObjectStatus } from '@clearmesh/control-plane/report/status-report';

/** What to show; an absent field asks for nothing. */
export type StatusQuery = { readonly kind?: string; readonly namespace?: string; readonly name?: string };

export type StatusRow = {
  readonly kind: string;
  /** "" for objects of the cluster. */
  readonly namespace: string;
  readonly name: string;
  /** Type of the condition; "" where nothing is said of the object. */
  readonly condition: string;
  readonly status: Condition['status'] | '';
  readonly reason: string;
  readonly message: string;
};

type ObjectName = Pick<StatusRow, 'kind' | 'namespace' | 'name'>;
type Objects = Readonly<Record<string, ObjectStatus>>;

/** `Kind namespace/name`, or `Kind name`. */
function parseObjectKey(key: string): ObjectName {
  const [kind = '', object = ''] = key.split(' ', 2);
  const slash = object.indexOf('/');
  return { kind, namespace: slash < 0 ? '' : object.slice(0, slash), name: object.slice(slash + 1) };
}

/** The objects that are meant, in the order of kind, namespace and name. */
export function selectObjects(objects: Objects, query: StatusQuery): Objects {
  const wanted = Object.entries(objects).filter(([key]) => isMeant(parseObjectKey(key), query));
  return Object.fromEntries(wanted.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isMeant(object: ObjectName, { kind, namespace, name }: StatusQuery): boolean {
  const named = (name === undefined || object.name === name) && (kind === undefined || object.kind === kind);
  return named && (namespace === undefined || object.namespace === namespace);
}

export function statusRows(objects: Objects): readonly StatusRow[] {
  return Object.entries(objects).flatMap(([key, status]): readonly StatusRow[] => {
    const object = parseObjectKey(key);
    const rows = conditionsOf(status).map(({ type, status: value, reason, message }) => {
      return { ...object, condition: type, status: value, reason, message };
    });
    return rows.length > 0 ? rows : [{ ...object, condition: '', status: '', reason: '', message: '' }];
  });
}

/** Of the object, and of a route for each of its parents. */
function conditionsOf({ conditions = [], parents = [] }: ObjectStatus): readonly Condition[] {
  const ofParents = parents.flatMap(({ parentRef: { kind, name }, conditions: own }) =>
    own.map((condition) => ({ ...condition, message: `${kind} ${name}: ${condition.message}` })),
  );
  return [...conditions, ...ofParents];
}
