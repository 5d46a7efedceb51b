/**
 * Statuses as golden data is compared: of each condition its type, status and reason, and the addresses. Messages are each
 * control plane's own words.
 */
import type { JsonValue } from '@bufbuild/protobuf';
import type { Keyed } from './scenario.ts';

type Told = { readonly type: string; readonly status: string; readonly reason: string };
type AnyStatus = {
  readonly conditions?: readonly Told[];
  readonly addresses?: JsonValue[];
  readonly listeners?: readonly { readonly name: string; readonly conditions: readonly Told[] }[];
  readonly parents?: readonly {
    readonly parentRef: { readonly kind?: string; readonly name: string; readonly port?: number };
    readonly conditions: readonly Told[];
  }[];
};

/** By object, then by what is said; an object of which nothing is said is left out. */
export function statusForm(objects: Readonly<Record<string, unknown>>): Keyed {
  const forms = Object.entries(objects).map(([key, status]) => [key, fields(status as AnyStatus)] as const);
  return Object.fromEntries(forms.filter(([, form]) => Object.keys(form).length > 0));
}

function fields({ conditions = [], addresses = [], listeners = [], parents = [] }: AnyStatus): Record<string, JsonValue> {
  return Object.fromEntries<JsonValue>([
    ...told('', conditions),
    ...(addresses.length === 0 ? [] : [['addresses', addresses] as [string, JsonValue]]),
    ...listeners.flatMap((listener) => told(`listener ${listener.name} `, listener.conditions)),
    ...parents.flatMap(({ parentRef: { kind = '', name, port }, conditions: own }) =>
      told(`parent ${kind} ${name}${port === undefined ? '' : `:${port}`} `, own),
    ),
  ]);
}

/** What a Gateway is born with is its definition's default, and nobody's word. */
function told(prefix: string, conditions: readonly Told[]): readonly (readonly [string, JsonValue])[] {
  return conditions
    .filter(({ reason }) => reason !== 'Pending')
    .map(({ type, status, reason }) => [`${prefix}${type}`, `${status} ${reason}`]);
}
