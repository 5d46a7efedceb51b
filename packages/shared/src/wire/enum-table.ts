/** Names of the model against numbers on the wire; proto3 enums are open, so any number may arrive. */
import { refuse } from './rejected.ts';

/** Both directions of one enum. */
export type EnumTable<Name extends string, Value extends number> = {
  /** Refuses a number that the table does not know. */
  readonly nameOf: (value: number, field: string) => Name;
  /** For enums that decide nothing: an unknown number means `fallback`. */
  readonly nameOr: (value: number, fallback: Name) => Name;
  readonly valueOf: (name: Name) => Value;
};

export function enumTable<const Values extends Readonly<Record<string, number>>>(
  values: Values,
): EnumTable<keyof Values & string, Values[keyof Values]> {
  type Name = keyof Values & string;
  const names = new Map(Object.entries(values).map(([name, value]): [number, Name] => [value, name]));
  return {
    nameOf: (value, field) => names.get(value) ?? refuse(`${field}: value ${value} is unknown or not supported`),
    nameOr: (value, fallback) => names.get(value) ?? fallback,
    valueOf: (name) => values[name],
  };
}
