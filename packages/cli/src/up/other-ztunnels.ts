/** Programs that stand in for our node proxy (`--ztunnel`). */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { MeshError } from '@clearmesh/shared/observe/mesh-error';
import type { OtherZtunnels } from '../arguments/ztunnel-option.ts';

/** MESH-CONFIG-003 for a node that is not simulated, and for what cannot be run: found out before anything is started. */
export async function requireZtunnels(programs: OtherZtunnels, nodes: readonly string[]): Promise<void> {
  for (const [node, program] of Object.entries(programs)) {
    if (node !== '' && !nodes.includes(node))
      throw new MeshError('MESH-CONFIG-003', {
        message: `--ztunnel: there is no node ${node}`,
        hint: `The nodes are ${nodes.join(', ')}; --nodes makes others.`,
      });
    if (!(await isProgram(program)))
      throw new MeshError('MESH-CONFIG-003', {
        message: `--ztunnel: ${program} is no program that may be run`,
        hint: 'Name an executable file by its absolute path.',
      });
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
