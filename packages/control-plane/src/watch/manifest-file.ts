/** One file of manifests: text to checked objects, or to problems. */
import { findKind, supportedKinds } from '../manifest/kinds.ts';
import { checkMeaning } from './check-meaning.ts';
import { checkShape } from '@clearmesh/shared/document/check-shape';
import { nearestName } from '@clearmesh/shared/document/nearest-name';
import { readYaml } from '@clearmesh/shared/document/yaml-documents';
import { findingProblem, yamlProblem } from '@clearmesh/shared/document/document-problem';
import type { Manifest } from '../manifest/collections.ts';
import type { FieldPath } from '@clearmesh/shared/document/field-path';
import type { Finding } from '@clearmesh/shared/document/finding';
import type { PeerAuthenticationRules } from './check-peer-authentication.ts';
import type { Position, YamlDocument } from '@clearmesh/shared/document/yaml-documents';
import type { Problem } from '@clearmesh/shared/document/problem';

export type LoadedObject = {
  readonly manifest: Manifest;
  readonly file: string;
  /** The place of a field; reads the text again, so that no syntax tree is kept for the rare message. */
  readonly locate: (path: FieldPath, at?: 'key' | 'value') => Position;
};

export type ManifestFile = { readonly objects: readonly LoadedObject[]; readonly problems: readonly Problem[] };

/** All documents of a file; one that is empty to the last byte is a file caught while it is written. */
export function parseManifestFile(file: string, text: string, rules: PeerAuthenticationRules): ManifestFile {
  if (text.length === 0) return { objects: [], problems: [emptyFile(file)] };
  const { documents, faults } = readYaml(text);
  const readings = documents.map((document, index) => readObject(document, file, rules, () => readYaml(text).documents[index]));
  return {
    objects: readings.flatMap((reading) => (reading.object === undefined ? [] : [reading.object])),
    problems: [
      ...faults.map(({ line, column, message }) => yamlProblem(file, line, column, message)),
      ...readings.flatMap((reading) => reading.problems),
    ],
  };
}

type ObjectReading = { readonly object?: LoadedObject; readonly problems: readonly Problem[] };

function readObject(
  document: YamlDocument,
  file: string,
  rules: PeerAuthenticationRules,
  reread: () => YamlDocument | undefined,
): ObjectReading {
  const { value, locate } = document;
  const title = rawTitle(value);
  const asProblems = (findings: readonly Finding[]): readonly Problem[] =>
    findings.map((finding) => findingProblem(finding, 'MESH-CONFIG-001', file, title, locate));
  const kind = findKind(textAt(value, 'apiVersion'), textAt(value, 'kind'));
  if (kind === undefined) return { problems: asProblems([unsupported(value)]) };
  const shape = checkShape(kind.schema, value);
  if (shape.length > 0) return { problems: asProblems(shape) };
  const manifest = kind.manifest(value);
  const findings = checkMeaning(manifest, rules);
  if (findings.length > 0) return { problems: asProblems(findings) };
  const place = (path: FieldPath, at?: 'key' | 'value'): Position => reread()?.locate(path, at) ?? { line: 1, column: 1 };
  return { object: { manifest, file, locate: place }, problems: [] };
}

function unsupported(value: unknown): Finding {
  const kind = textAt(value, 'kind');
  const apiVersion = textAt(value, 'apiVersion');
  const named = supportedKinds.find((entry) => entry.kind === kind);
  if (named !== undefined) {
    return {
      path: ['apiVersion'],
      value: apiVersion === '' ? undefined : apiVersion,
      message: `is not a supported version of ${kind}`,
      remedy: `Write ${named.apiVersions[0]}.`,
    };
  }
  const kinds = supportedKinds.map((entry) => entry.kind);
  const nearest = nearestName(kind, kinds);
  return {
    path: ['kind'],
    value: kind === '' ? undefined : kind,
    message: kind === '' ? 'is missing' : 'is not a supported kind',
    remedy: `${nearest === undefined ? '' : `Did you mean ${nearest}? `}Supported: ${kinds.join(', ')}.`,
  };
}

function emptyFile(file: string): Problem {
  return {
    ...yamlProblem(file, 1, 1, 'the file is empty'),
    remedy: 'Remove the file, or write its content; a file without objects needs a comment at least.',
  };
}

/** What the object calls itself, before anything is known of it. */
function rawTitle(value: unknown): string {
  const metadata = value !== null && typeof value === 'object' && 'metadata' in value ? value.metadata : undefined;
  const name = [textAt(metadata, 'namespace'), textAt(metadata, 'name')].filter((part) => part !== '').join('/');
  return [textAt(value, 'kind'), name]
    .filter((part) => part !== '')
    .join(' ')
    .slice(0, 200);
}

function textAt(value: unknown, key: string): string {
  if (value === null || typeof value !== 'object') return '';
  const found = (value as Readonly<Record<string, unknown>>)[key];
  return typeof found === 'string' ? found : '';
}
