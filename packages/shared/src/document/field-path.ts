/** Paths to fields: JSON pointers from the validator, dotted text for people. */

/** Keys and indexes from the top of the document. */
export type FieldPath = readonly (string | number)[];

/** RFC 6901. Numbers stay text: only the document knows whether they are indexes. */
export function pointerPath(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** `spec.rules[0].to`; keys that are no plain words stand quoted: `metadata.labels["app.kubernetes.io/name"]`. */
export function pathText(path: FieldPath): string {
  return path.reduce<string>((text, part) => {
    if (/^\d+$/.test(String(part))) return `${text}[${part}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(String(part))) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? String(part) : `${text}.${part}`;
  }, '');
}
