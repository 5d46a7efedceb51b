import { installGoProgram } from './go-program.ts';

/** The newest that the Go module proxy has. */
const version = '2.2.1';

/** The path of `h2spec`, which tests how a server keeps to HTTP/2; builds it where the cache has none. */
export function installH2spec(): Promise<string> {
  const module = `github.com/summerwind/h2spec/cmd/h2spec@v${version}+incompatible`;
  // It knows its own version only when its own scripts build it.
  return installGoProgram({ name: 'h2spec', version, module, proof: { argument: '--version', says: 'Version: 2.' } });
}
