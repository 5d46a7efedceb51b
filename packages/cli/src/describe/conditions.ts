import type { MeshView } from '../mesh/mesh-view.ts';
import type { Row } from '../terminal/rows.ts';

/** What the control plane says of an object. */
export function conditionRows({ conditions }: MeshView, object: string): readonly Row[] {
  return (conditions.get(object) ?? []).map(({ type, status, reason, message }) => ({
    condition: type,
    status,
    reason,
    message,
  }));
}
