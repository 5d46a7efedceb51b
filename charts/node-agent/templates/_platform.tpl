{{/* Where a platform keeps what the agent needs. Takes (list $ what); the user's own value wins. */}}
{{- define "node-agent.directory" -}}
{{- $root := index . 0 -}}
{{- $what := index . 1 -}}
{{- $usual := dict "binDir" "/opt/cni/bin" "confDir" "/etc/cni/net.d" "netnsDir" "/var/run/netns" -}}
{{- $platforms := dict
  "gke" (dict "binDir" "/home/kubernetes/bin")
  "k3s" (dict "binDir" "/var/lib/rancher/k3s/data/cni" "confDir" "/var/lib/rancher/k3s/agent/etc/cni/net.d")
  "microk8s" (dict "binDir" "/var/snap/microk8s/current/opt/cni/bin" "confDir" "/var/snap/microk8s/current/args/cni-network")
  "minikube" (dict "netnsDir" "/var/run/docker/netns")
  "openshift" (dict "binDir" "/var/lib/cni/bin" "confDir" "/etc/cni/multus/net.d")
-}}
{{- $own := ternary $root.Values.netnsDir (get $root.Values.cni $what) (eq $what "netnsDir") -}}
{{- $platform := get $platforms $root.Values.global.platform | default dict -}}
{{- coalesce $own (get $platform $what) (get $usual $what) -}}
{{- end }}
