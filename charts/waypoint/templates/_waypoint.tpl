{{- define "waypoint.name" -}}
{{- $name := .Values.name | default .Release.Name -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" $name) -}}
{{- fail (printf "%q cannot be the name of a waypoint: use lower-case letters, digits and \"-\", at most 63, a letter first. Set `name`, or name the release so." $name) -}}
{{- end -}}
{{- if eq $name "none" -}}
{{- fail "a waypoint cannot be called none: istio.io/use-waypoint: none means that there is none." -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{/* Least number of replicas that there will be. */}}
{{- define "waypoint.least" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end }}

{{/* What is laid over the Deployment that the control plane makes. */}}
{{- define "waypoint.deployment" -}}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  template:
    {{- with .Values.podAnnotations }}
    metadata:
      annotations:
        {{- toYaml . | nindent 8 }}
    {{- end }}
    spec:
      terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with include "mesh.pullSecrets" . }}{{ trim . | nindent 6 }}{{ end }}
      {{- with include "mesh.placement" .Values }}{{ trim . | nindent 6 }}{{ end }}
      containers:
        - name: {{ ternary "istio-proxy" "waypoint" (eq .Values.gatewayClassName "istio-waypoint") }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          env:
            - { name: RUST_LOG, value: {{ .Values.global.logLevel }} }
            - { name: LOG_FORMAT, value: {{ .Values.global.logFormat }} }
            - { name: TERMINATION_GRACE_PERIOD_SECONDS, value: {{ .Values.terminationGracePeriodSeconds | quote }} }
            {{- if .Values.domainKeySecret }}
            - { name: DOMAIN_KEY_FILE, value: /etc/clearmesh/domain-key/key }
            {{- end }}
            {{- with include "mesh.extraEnvironment" .Values.env }}{{ trim . | nindent 12 }}{{ end }}
          {{- if or .Values.domainKeySecret .Values.bundles }}
          volumeMounts:
            {{- if .Values.domainKeySecret }}
            - { name: domain-key, mountPath: /etc/clearmesh/domain-key, readOnly: true }
            {{- end }}
            {{- range $name, $_ := .Values.bundles }}
            - { name: bundle-{{ $name }}, mountPath: /etc/clearmesh/bundles/{{ $name }}, readOnly: true }
            {{- end }}
          {{- end }}
      {{- if or .Values.domainKeySecret .Values.bundles }}
      volumes:
        {{- if .Values.domainKeySecret }}
        - name: domain-key
          secret: { secretName: {{ .Values.domainKeySecret }} }
        {{- end }}
        {{- range $name, $source := .Values.bundles }}
        - name: bundle-{{ $name }}
          {{- toYaml $source | nindent 10 }}
        {{- end }}
      {{- end }}
{{- end }}
