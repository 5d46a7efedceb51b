/** Where the mesh's own programs are. */
import { fileURLToPath } from 'node:url';

type Program = 'control-plane' | 'ztunnel' | 'waypoint' | 'trace-receiver';

const mains: Readonly<Record<Program, string>> = {
  'control-plane': import.meta.resolve('@clearmesh/control-plane/main'),
  ztunnel: import.meta.resolve('@clearmesh/ztunnel/main'),
  waypoint: import.meta.resolve('@clearmesh/waypoint/main'),
  'trace-receiver': import.meta.resolve('../trace-receiver/main.ts'),
};

/** The command that runs a program's main.ts under the Node that runs us. */
export function packageMain(name: Program, execPath: string): readonly [string, string] {
  return [execPath, fileURLToPath(mains[name])];
}
