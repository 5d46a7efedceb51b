import { installGoProgram } from './go-program.ts';

/** The newest 1.x that builds with the Go of this repository's machines. */
const version = '1.22.2';

/** The path of `opa`, which tests and examples/policies use; builds it where the cache has none. */
export function installOpa(): Promise<string> {
  const module = `github.com/open-policy-agent/opa@v${version}`;
  return installGoProgram({ name: 'opa', version, module, proof: { argument: 'version', says: version } });
}
