{{/*
What of Istio is in the cluster, as a list of words; empty also where there is no cluster to ask, as in `helm template`.
*/}}
{{- define "base.istio" -}}
{{- $found := list -}}
{{- range $object := dig "items" list (lookup "apps/v1" "Deployment" "" "" | default dict) -}}
  {{- if eq (dig "metadata" "labels" "app" "" $object) "istiod" -}}
    {{- $found = append $found (printf "Deployment %s/%s" $object.metadata.namespace $object.metadata.name) -}}
  {{- end -}}
{{- end -}}
{{- range $object := dig "items" list (lookup "apps/v1" "DaemonSet" "" "" | default dict) -}}
  {{- $labels := dig "metadata" "labels" dict $object | default dict -}}
  {{- $cni := eq (get $labels "k8s-app") "istio-cni-node" -}}
  {{- $ztunnel := and (eq (get $labels "app") "ztunnel") (ne (get $labels "app.kubernetes.io/part-of") "clearmesh") -}}
  {{- if or $cni $ztunnel (has $object.metadata.name (list "istio-cni-node" "istio-cni")) -}}
    {{- $found = append $found (printf "DaemonSet %s/%s" $object.metadata.namespace $object.metadata.name) -}}
  {{- end -}}
{{- end -}}
{{- $classes := dict -}}
{{- /* A kind that the cluster does not have cannot be looked up. */ -}}
{{- if lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "gatewayclasses.gateway.networking.k8s.io" -}}
  {{- $classes = lookup "gateway.networking.k8s.io/v1" "GatewayClass" "" "" -}}
{{- end -}}
{{- range $object := dig "items" list ($classes | default dict) -}}
  {{- $controller := dig "spec" "controllerName" "" $object -}}
  {{- if hasPrefix "istio.io/" $controller -}}
    {{- $found = append $found (printf "GatewayClass %s of %s" $object.metadata.name $controller) -}}
  {{- end -}}
{{- end -}}
{{- $found | toJson -}}
{{- end }}

{{/* Refuses to install beside Istio, unless that is accepted. Takes (list $ accepted option). */}}
{{- define "base.refuseIstio" -}}
{{- $found := include "base.istio" (index . 0) | fromJsonArray -}}
{{- if and $found (not (index . 1)) -}}
{{- fail (printf "Istio is installed in this cluster: %s. Two meshes cannot capture the same pods, so Clearmesh is not installed. Remove Istio, or, where it leaves the namespaces of Clearmesh alone, say --set %s=true." (join ", " $found) (index . 2)) -}}
{{- end -}}
{{- end }}

{{/* Refuses to install classes of a kind that the cluster does not have; helm would name the kind, but not the remedy. */}}
{{- define "base.requireGatewayApi" -}}
{{- $connected := lookup "v1" "Namespace" "" "kube-system" -}}
{{- $known := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "gateways.gateway.networking.k8s.io" -}}
{{- if and $connected (not $known) -}}
{{- fail "the Gateway API is not installed in this cluster (there is no CustomResourceDefinition gateways.gateway.networking.k8s.io), and waypoints are Gateways. Install its standard channel, v1.1 or later, first; or do without waypoints: --set gatewayClasses.install=false (base.gatewayClasses.install=false for the chart clearmesh)." -}}
{{- end -}}
{{- end }}

{{/* Whether a class is there that is none of this release. Takes (list $ name). */}}
{{- define "base.foreignClass" -}}
{{- $root := index . 0 -}}
{{- $class := dict -}}
{{- if lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "gatewayclasses.gateway.networking.k8s.io" -}}
  {{- $class = lookup "gateway.networking.k8s.io/v1" "GatewayClass" "" (index . 1) -}}
{{- end -}}
{{- if and $class (ne (dig "metadata" "annotations" "meta.helm.sh/release-name" "" $class) $root.Release.Name) -}}
yes
{{- end -}}
{{- end }}
