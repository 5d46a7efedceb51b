/** What a schema cannot say of one object, kind by kind. */
import { checkAuthorizationPolicy } from './check-policy.ts';
import { checkBankingDomain } from './check-banking-domain.ts';
import { checkFaultExperiment, checkOpaPolicy, checkRateLimitPolicy } from './check-clearmesh-policies.ts';
import { checkGateway } from './check-gateway.ts';
import { checkPeerAuthentication } from './check-peer-authentication.ts';
import { checkRequestAuthentication } from './check-request-authentication.ts';
import { checkResiliencePolicy } from './check-resilience.ts';
import { checkGrpcRoute, checkHttpRoute } from './check-route.ts';
import { checkServiceEntry, checkWorkloadEntry } from './check-service-entry.ts';
import type { Manifest } from '../manifest/collections.ts';
import type { Finding } from '@clearmesh/shared/document/finding';
import type { PeerAuthenticationRules } from './check-peer-authentication.ts';

export function checkMeaning(manifest: Manifest, rules: PeerAuthenticationRules): readonly Finding[] {
  switch (manifest.kind) {
    case 'AuthorizationPolicy':
      return checkAuthorizationPolicy(manifest.value, rules);
    case 'PeerAuthentication':
      return checkPeerAuthentication(manifest.value, rules);
    case 'RequestAuthentication':
      return checkRequestAuthentication(manifest.value, rules);
    case 'Gateway':
      return checkGateway(manifest.value);
    case 'HTTPRoute':
      return checkHttpRoute(manifest.value);
    case 'GRPCRoute':
      return checkGrpcRoute(manifest.value);
    case 'ResiliencePolicy':
      return checkResiliencePolicy(manifest.value, rules);
    case 'RateLimitPolicy':
      return checkRateLimitPolicy(manifest.value, rules);
    case 'OpaPolicy':
      return checkOpaPolicy(manifest.value, rules);
    case 'FaultExperiment':
      return checkFaultExperiment(manifest.value, rules);
    case 'ServiceEntry':
      return checkServiceEntry(manifest.value);
    case 'WorkloadEntry':
      return checkWorkloadEntry(manifest.value);
    case 'BankingDomain':
      return checkBankingDomain(manifest.value, rules);
    case 'Namespace':
    case 'Node':
    case 'Pod':
    case 'Service':
    case 'EndpointSlice':
    case 'ServiceAccount':
    case 'ReferenceGrant':
      return [];
  }
}
