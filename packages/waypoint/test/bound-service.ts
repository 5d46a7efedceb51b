/** A bound service for tests: say what matters. */
import type { BoundService } from '@clearmesh/shared/model/l7/configuration';
import { serviceKey } from '@clearmesh/shared/model/names';

export function boundService(spec: Partial<BoundService> = {}): BoundService {
  return {
    key: serviceKey('bank', 'ledger.bank.svc.cluster.local'),
    ports: [{ port: 8080, protocol: 'HTTP11' }],
    routes: [],
    authorization: [],
    jwt: [],
    opa: [],
    rateLimits: [],
    faults: [],
    ...spec,
  };
}
