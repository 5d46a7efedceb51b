/**
 * The JSON of a waypoint's configuration, as its receiver checks it. The compiler checks that what passes is a
 * {@link WaypointConfiguration}. Unknown fields are let through: what an older receiver must not overlook raises the
 * schema number instead.
 */
import { Type } from 'typebox';
import type { Static, TSchema } from 'typebox';
import type { ServiceKey } from '../model/names.ts';
import type { WaypointConfiguration } from '../model/l7/configuration.ts';
import {
  authorizationSchema,
  faultSchema,
  jwtSchema,
  opaSchema,
  rateLimitsSchema,
  resilienceSchema,
} from './waypoint-policy-schemas.ts';
import { amount, httpMatch, name, names, percent, port, status } from './waypoint-schema-parts.ts';

const serviceKey = Type.Unsafe<ServiceKey>(Type.String({ pattern: '^[^/]+/[^/]+$' }));

const headerPair = Type.Tuple([name, Type.String()]);
const headerChanges = { set: Type.Array(headerPair), add: Type.Array(headerPair), remove: names };
const pathChange = Type.Object({ type: Type.Enum(['ReplaceFullPath', 'ReplacePrefixMatch']), value: Type.String() });
const serviceBackend = { service: serviceKey, port };

const filter = Type.Union([
  Type.Object({ kind: Type.Literal('request-headers'), ...headerChanges }),
  Type.Object({ kind: Type.Literal('response-headers'), ...headerChanges }),
  Type.Object({
    kind: Type.Literal('redirect'),
    scheme: Type.Optional(Type.Enum(['http', 'https'])),
    hostname: Type.Optional(Type.String()),
    port: Type.Optional(port),
    path: Type.Optional(pathChange),
    status: Type.Enum([301, 302, 303, 307, 308]),
  }),
  Type.Object({
    kind: Type.Literal('rewrite'),
    hostname: Type.Optional(Type.String()),
    path: Type.Optional(pathChange),
  }),
  Type.Object({ kind: Type.Literal('mirror'), backend: Type.Object(serviceBackend), percent }),
]);
const filters = Type.Array(filter);

const backend = Type.Union([
  Type.Object({ kind: Type.Literal('service'), weight: amount, filters, ...serviceBackend }),
  Type.Object({ kind: Type.Literal('invalid'), weight: amount, reason: Type.String() }),
]);

const route = Type.Object({
  key: name,
  ports: Type.Array(port),
  createdAtMs: Type.Optional(amount),
  hostnames: names,
  rules: Type.Array(
    Type.Object({
      name: Type.Optional(Type.String()),
      matches: Type.Array(httpMatch),
      filters,
      backends: Type.Array(backend),
      timeouts: Type.Object({ requestMs: Type.Optional(amount), backendRequestMs: Type.Optional(amount) }),
      retry: Type.Optional(
        Type.Object({ attempts: Type.Optional(amount), codes: Type.Array(status), backoffMs: Type.Optional(amount) }),
      ),
    }),
  ),
});

const appProtocol = Type.Enum(['UNKNOWN', 'HTTP11', 'HTTP2', 'GRPC', 'TCP', 'TLS']);
const service = Type.Object({
  key: serviceKey,
  ports: Type.Array(Type.Object({ port, protocol: appProtocol })),
  routes: Type.Array(route),
  authorization: names,
  jwt: names,
  opa: names,
  resilience: Type.Optional(name),
  rateLimits: names,
  faults: names,
});

const byKey = <S extends TSchema>(schema: S) => Type.Record(Type.String(), schema);

const configuration = Type.Object({
  namespace: name,
  name,
  environment: Type.Enum(['production', 'test']),
  services: Type.Array(service),
  workloads: names,
  policies: Type.Object({
    authorization: byKey(authorizationSchema),
    jwt: byKey(jwtSchema),
    opa: byKey(opaSchema),
    resilience: byKey(resilienceSchema),
    rateLimits: byKey(rateLimitsSchema),
    faults: byKey(faultSchema),
  }),
});

export const waypointConfigurationSchema: Type.TUnsafe<WaypointConfiguration> =
  Type.Unsafe<Static<typeof configuration>>(configuration);
