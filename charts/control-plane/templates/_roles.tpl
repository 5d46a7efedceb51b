{{- define "control-plane.subject" -}}
- kind: ServiceAccount
  name: clearmesh-control-plane
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* Rules for what a waypoint is made of. Takes the verbs. */}}
{{- define "control-plane.deployed" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: {{ . | toJson }}
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: {{ . | toJson }}
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: {{ . | toJson }}
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: {{ . | toJson }}
{{- end }}
