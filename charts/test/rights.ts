export const system = 'clearmesh-system';

const controlPlane = `${system}/clearmesh-control-plane`;
const nodeAgent = `${system}/clearmesh-node-agent`;
const ztunnel = `${system}/ztunnel`;

/** Who, whether, and what: the least rights as a table. */
export const rights: readonly (readonly [string, boolean, string])[] = [
  [controlPlane, true, 'watch pods -A'],
  [controlPlane, true, 'list endpointslices.discovery.k8s.io -A'],
  [controlPlane, true, 'watch httproutes.gateway.networking.k8s.io -A'],
  [controlPlane, true, 'watch serviceentries.networking.istio.io -A'],
  [controlPlane, true, 'patch workloadentries.networking.istio.io --subresource=status -n ledger'],
  [controlPlane, true, 'watch authorizationpolicies.security.istio.io -A'],
  [controlPlane, true, 'patch authorizationpolicies.security.istio.io --subresource=status -n ledger'],
  [controlPlane, true, 'patch services --subresource=status -n ledger'],
  [controlPlane, true, 'create tokenreviews.authentication.k8s.io'],
  [controlPlane, true, 'create configmaps -n ledger'],
  [controlPlane, true, 'watch configmaps/ledger-waypoint-overlay -n ledger'],
  [controlPlane, true, 'create gatewayclasses.gateway.networking.k8s.io'],
  [controlPlane, true, 'patch gatewayclasses.gateway.networking.k8s.io --subresource=status'],
  [controlPlane, true, 'patch configmaps/istio-ca-root-cert -n ledger'],
  [controlPlane, true, `get secrets/cacerts -n ${system}`],
  [controlPlane, true, `create secrets -n ${system}`],
  [controlPlane, true, `update leases.coordination.k8s.io -n ${system}`],
  [controlPlane, true, 'patch validatingwebhookconfigurations/clearmesh-validator'],
  [controlPlane, true, 'create deployments.apps -n ledger'],
  [controlPlane, true, 'patch horizontalpodautoscalers.autoscaling -n ledger'],
  [controlPlane, false, 'patch configmaps/settings -n ledger'],
  [controlPlane, false, 'patch gateways.gateway.networking.k8s.io -n ledger'],
  [controlPlane, false, 'patch services -n ledger --subresource=proxy'],
  [controlPlane, false, `list secrets -n ${system}`],
  [controlPlane, false, `get secrets/other -n ${system}`],
  [controlPlane, false, 'get secrets -n ledger'],
  [controlPlane, false, 'patch authorizationpolicies.security.istio.io -n ledger'],
  [controlPlane, false, 'patch validatingwebhookconfigurations/other'],
  [controlPlane, false, 'create pods -n ledger'],
  [controlPlane, false, 'create rolebindings.rbac.authorization.k8s.io -n ledger'],
  [controlPlane, false, 'create pods --subresource=exec -n ledger'],
  [nodeAgent, true, 'watch pods -A'],
  [nodeAgent, true, 'patch pods --subresource=status -n ledger'],
  [nodeAgent, true, `get daemonsets.apps/clearmesh-node-agent -n ${system}`],
  [nodeAgent, false, 'patch pods -n ledger'],
  [nodeAgent, false, 'get secrets -n ledger'],
  [nodeAgent, false, `get daemonsets.apps/ztunnel -n ${system}`],
  [ztunnel, false, 'get pods -n ledger'],
  [ztunnel, false, `get configmaps -n ${system}`],
];
