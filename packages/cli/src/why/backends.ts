/** Where a waypoint sends a request: its own routes, asked by its own function. Pure. */
import { compileRoutes } from '@clearmesh/waypoint/route/route-table';
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import type { ServiceBackend } from '@clearmesh/shared/model/l7/route';
import { requestOf } from './layer7.ts';
import type { AtWaypoint } from './layer7.ts';

export type Routing =
  | { readonly kind: 'backends'; readonly backends: readonly ServiceBackend[]; readonly remark?: string }
  /** No pod is reached: the waypoint answers. */
  | {
      readonly kind: 'answered';
      readonly verdict: 'ALLOWED' | 'REFUSED';
      readonly because: string;
      readonly changes: readonly string[];
    };

/** A chance that takes the first of several backends. */
const first = { unit: () => 0 };

export function routingAt(at: AtWaypoint): Routing {
  const { bound, target, asked } = at;
  const itself = { service: bound.key, port: target.called.port };
  if (bound.routes.length === 0 || target.protocol === 'TCP' || target.protocol === 'TLS')
    return { kind: 'backends', backends: [itself] };
  const compiled = compileRoutes(bound);
  if (compiled.kind === 'rejected') {
    const changes = ['Mend the route; until then the waypoint keeps the last good configuration.'];
    return { kind: 'answered', verdict: 'REFUSED', because: `the waypoint refuses its routes: ${compiled.reason}`, changes };
  }
  if (asked.method === undefined || asked.path === undefined) {
    return {
      kind: 'backends',
      backends: allBackends(bound),
      remark: `routes: ${bound.routes.map(({ key }) => key).join(', ')}; with --method and --path the one rule is told`,
    };
  }
  const decision = compiled.table.route(requestOf(at), first);
  switch (decision.kind) {
    case 'forward': {
      const by =
        decision.route === undefined
          ? {}
          : { remark: `route: rule ${decision.rule ?? ''} of ${decision.route} (${decision.template})` };
      return { kind: 'backends', backends: [decision.backend], ...by };
    }
    case 'redirect': {
      const because = `rule ${decision.rule ?? ''} of ${decision.route ?? ''} answers with ${decision.answer.status}, and sends the caller elsewhere`;
      return { kind: 'answered', verdict: 'ALLOWED', because, changes: [] };
    }
    case 'refused': {
      const changes = [
        `Add a rule for this request to ${bound.routes[0]?.key ?? 'a route'}: what no rule matches is answered with 404.`,
      ];
      return {
        kind: 'answered',
        verdict: 'REFUSED',
        because: 'detail' in decision.failure ? decision.failure.detail : 'no rule of the routes matches',
        changes,
      };
    }
  }
}

function allBackends({ routes }: BoundService): readonly ServiceBackend[] {
  const named = routes.flatMap(({ rules }) => rules.flatMap(({ backends }) => backends));
  const services = named.flatMap((backend) =>
    backend.kind === 'service' ? [{ service: backend.service, port: backend.port }] : [],
  );
  return [...new Map(services.map((backend) => [`${backend.service}:${backend.port}`, backend])).values()];
}
