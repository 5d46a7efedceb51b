{{/*
What the charts of Clearmesh have in common. One file; the charts link to it.
*/}}

{{/* hub/name:tag of an image. Takes (list $ name). */}}
{{- define "mesh.image" -}}
{{- $root := index . 0 -}}
{{- printf "%s/%s:%s" $root.Values.global.hub (index . 1) (default $root.Chart.AppVersion $root.Values.global.tag) -}}
{{- end }}

{{/* The labels of every object. Takes (list $ app). */}}
{{- define "mesh.labels" -}}
{{- $root := index . 0 -}}
app: {{ index . 1 }}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: clearmesh
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* The labels of a pod of the mesh itself, which is never captured. Takes (list $ app). */}}
{{- define "mesh.podLabels" -}}
{{ include "mesh.labels" . }}
istio.io/dataplane-mode: none
sidecar.istio.io/inject: "false"
{{- end }}

{{/* Where Prometheus finds the metrics of a pod. Takes a port. */}}
{{- define "mesh.scraping" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ . | quote }}
prometheus.io/path: /metrics
{{- end }}

{{/* Secrets for the registry, below spec of a pod. */}}
{{- define "mesh.pullSecrets" }}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where pods run, below spec of a pod. Takes the values of the chart. */}}
{{- define "mesh.placement" }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What Pod Security "restricted" asks of a container. */}}
{{- define "mesh.restricted" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 1337
runAsGroup: 1337
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Environment that the user adds, a name and a text each. */}}
{{- define "mesh.extraEnvironment" }}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Where the control plane is. */}}
{{- define "mesh.controlPlane" -}}
https://clearmesh-control-plane.{{ .Release.Namespace }}.svc:15012
{{- end }}

{{/* The token that proxies show to the control plane, and the root they know it by: volumes and mounts. */}}
{{- define "mesh.credentialVolumes" -}}
- name: istio-token
  projected:
    sources:
      - serviceAccountToken:
          audience: istio-ca
          expirationSeconds: 43200
          path: istio-token
- name: root-cert
  configMap:
    name: istio-ca-root-cert
{{- end }}

{{- define "mesh.credentialMounts" -}}
- name: istio-token
  mountPath: /var/run/secrets/tokens
  readOnly: true
- name: root-cert
  mountPath: /var/run/secrets/istio
  readOnly: true
{{- end }}

{{/*
Refuses a namespace whose Pod Security forbids what a node proxy needs: its pods would never be made, and only an event
would say why. Takes (list $ what).
*/}}
{{- define "mesh.requirePrivilegedNamespace" -}}
{{- $root := index . 0 -}}
{{- $labels := dig "metadata" "labels" dict (lookup "v1" "Namespace" "" $root.Release.Namespace | default dict) | default dict -}}
{{- $level := get $labels "pod-security.kubernetes.io/enforce" -}}
{{- if has $level (list "baseline" "restricted") -}}
{{- fail (printf "namespace %s enforces Pod Security %q, under which %s cannot run: it uses directories and capabilities of its node. Do: kubectl label --overwrite namespace %s pod-security.kubernetes.io/enforce=privileged" $root.Release.Namespace $level (index . 1) $root.Release.Namespace) -}}
{{- end -}}
{{- end }}
