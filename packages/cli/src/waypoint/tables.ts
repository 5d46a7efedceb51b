/** Waypoints as rows, with the columns of control-plane-contract section 8. Pure. */
import { isWaypoint, waypointFor } from '@clearmesh/control-plane/manifest/gateway';
import type { GatewayManifest } from '@clearmesh/control-plane/manifest/gateway';
import type { Row } from '../terminal/rows.ts';
import type { MeshView } from '../mesh/mesh-view.ts';

export type WaypointChoice = {
  /** @default every namespace */
  readonly namespace?: string;
  /** @default all of them */
  readonly names?: readonly string[];
};

export function chosen({ collections }: MeshView, { namespace, names = [] }: WaypointChoice): readonly GatewayManifest[] {
  return collections.gateways.filter(
    (gateway) =>
      isWaypoint(gateway) &&
      (namespace === undefined || gateway.metadata.namespace === namespace) &&
      (names.length === 0 || names.includes(gateway.metadata.name)),
  );
}

export function listRows(view: MeshView, choice: WaypointChoice): readonly Row[] {
  return chosen(view, choice).map((gateway) => ({
    ...placed(gateway, choice),
    revision: gateway.metadata.labels?.['istio.io/rev'] ?? 'default',
    'traffic type': waypointFor(gateway),
    programmed: conditionOf(view, gateway)?.status ?? 'Unknown',
  }));
}

export function statusRows(view: MeshView, choice: WaypointChoice): readonly Row[] {
  return chosen(view, choice).map((gateway) => {
    const {
      status = 'Unknown',
      reason = '',
      message = 'the control plane has not spoken of it yet',
    } = conditionOf(view, gateway) ?? {};
    return { ...placed(gateway, choice), status, type: 'Programmed', reason, message };
  });
}

/** Every one of them takes traffic. */
export function allProgrammed(view: MeshView, choice: WaypointChoice): boolean {
  return chosen(view, choice).every((gateway) => conditionOf(view, gateway)?.status === 'True');
}

function placed({ metadata: { namespace, name } }: GatewayManifest, choice: WaypointChoice): Row {
  return choice.namespace === undefined ? { namespace, name } : { name };
}

function conditionOf(
  { conditions }: MeshView,
  { metadata: { namespace, name } }: GatewayManifest,
): { readonly status: string; readonly reason: string; readonly message: string } | undefined {
  return conditions.get(`Gateway ${namespace}/${name}`)?.find(({ type }) => type === 'Programmed');
}
