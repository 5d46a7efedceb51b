/**
 * What pages say of files of this repository: that a file or folder is there, and in the table of scenarios that a test has such a
 * title. Paths are below packages/ unless they are of the repository; after the first of a line they may be names beside it.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const pages = ['docs/compatibility.md', 'docs/LIMITS.md'] as const;
const path = /^[\w./{},-]+(?:\.ts|\/)$/;
/** `file`: title, title; as far as the next cell, file or sentence of its own. */
const titled = /`(?<file>[\w./-]+\.ts)`: (?<titles>[^`|;]+)/g;

/** Page, line and what is not as it says. */
export async function brokenReferences(root: string): Promise<readonly string[]> {
  const found = await Promise.all(pages.map(async (page) => ({ page, text: await readFile(join(root, page), 'utf8') })));
  const perLine = found.flatMap(({ page, text }) =>
    text.split('\n').map((line, index) => ({ line, place: `${page}:${index + 1}` })),
  );
  const broken = perLine.map(async ({ line, place }) =>
    [...missingPaths(root, line), ...(await missingTitles(root, line))].map((what) => `${place}: ${what}`),
  );
  return (await Promise.all(broken)).flat();
}

function missingPaths(root: string, line: string): readonly string[] {
  const named = [...line.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text).filter((text) => path.test(text));
  const [first = ''] = named;
  return named.flatMap(expand).filter((name) => {
    return !['.', 'packages', join('packages', dirname(first))].some((folder) => existsSync(join(root, folder, name)));
  });
}

async function missingTitles(root: string, line: string): Promise<readonly string[]> {
  if (!line.startsWith('| ')) return [];
  const missing = [...line.matchAll(titled)].map(async ({ groups }) => {
    const { file = '', titles = '' } = groups ?? {};
    const place = ['.', 'packages'].map((folder) => join(root, folder, file)).find((each) => existsSync(each));
    const text = place === undefined ? '' : await readFile(place, 'utf8');
    const parts = titles.split(/, | … /).map((part) => part.trim());
    return parts.filter((part) => !text.includes(part)).map((part) => `${file} has no test ${JSON.stringify(part)}`);
  });
  return (await Promise.all(missing)).flat();
}

/** `a/{b,c}.ts` is two. */
function expand(name: string): readonly string[] {
  const [all, choices = ''] = /\{([^}]*)\}/.exec(name) ?? [];
  return all === undefined ? [name] : choices.split(',').flatMap((choice) => expand(name.replace(all, choice)));
}
