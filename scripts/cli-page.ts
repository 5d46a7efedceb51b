/** The examples of docs/CLI.md: what the commands of the page print, so that no example is older than the command. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const cliPage = 'docs/CLI.md';

/** A block whose first line is a command that needs no cluster: it says so by its directory or file. */
const example = /```console\n\$ clearmesh (?<args>[^\n]*)\n[\s\S]*?```/g;

/** The page with the output of each example as it is now. */
export async function expandCliPage(root: string): Promise<string> {
  const page = await readFile(join(root, cliPage), 'utf8');
  const commands = new Set(Array.from(page.matchAll(example), (match) => match.groups?.['args'] ?? ''));
  const outputs = new Map<string, string>();
  for (const args of commands) outputs.set(args, await run(root, args));
  return page.replaceAll(
    example,
    (_block, args: string) => `\`\`\`console\n$ clearmesh ${args}\n${outputs.get(args) ?? ''}\`\`\``,
  );
}

/** Any exit status: a refusal is an example too. */
function run(root: string, args: string): Promise<string> {
  const command = [join(root, 'packages/cli/src/main.ts'), ...args.split(' ')];
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(process.execPath, command, { cwd: root, env: { ...process.env, NO_COLOR: '1' } }, (error, stdout, stderr) => {
    if (stdout === '') reject(new Error(`clearmesh ${args} prints nothing: ${stderr}`, { cause: error }));
    else resolve(stdout);
  });
  return promise;
}
