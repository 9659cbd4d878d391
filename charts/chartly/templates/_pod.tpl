{{- define "chartly.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.security.user }}
runAsUser: {{ . | int64 }}
{{- end }}
{{- with .Values.security.group }}
runAsGroup: {{ . | int64 }}
fsGroup: {{ . | int64 }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "chartly.containerSecurityContext" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- with .Values.security.user }}
runAsUser: {{ . | int64 }}
{{- end }}
{{- with .Values.security.group }}
runAsGroup: {{ . | int64 }}
{{- end }}
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* The admin port answers all three. A store that failed makes /health 503, and a restart
       is what mends it; where none helps it answers 200. */ -}}
{{- define "chartly.probes" -}}
startupProbe:
  httpGet: {path: /ready, port: admin, scheme: HTTP}
  periodSeconds: 2
  timeoutSeconds: 2
  successThreshold: 1
  failureThreshold: 90
readinessProbe:
  httpGet: {path: /ready, port: admin, scheme: HTTP}
  periodSeconds: 5
  timeoutSeconds: 2
  successThreshold: 1
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /health, port: admin, scheme: HTTP}
  periodSeconds: 10
  timeoutSeconds: 5
  successThreshold: 1
  failureThreshold: 6
{{- end -}}

{{- /* Spread over nodes and zones where there are several replicas. Takes root and component. */ -}}
{{- define "chartly.spread" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "chartly.selectorLabels" $ | nindent 8 }}
{{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "chartly.selectorLabels" . | nindent 14 }}
{{- end -}}

{{- /* The first lines of every pod. Takes root, component and name of the service account. */ -}}
{{- define "chartly.podHead" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: {{ default "Always" .restart }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  {{- include "chartly.podSecurityContext" .root | nindent 2 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- /* Secrets that profiles name, laid out as NAME/KEY below /etc/chartly/secrets. */ -}}
{{- define "chartly.secretsVolume" -}}
- name: secrets
  projected:
    defaultMode: 288
    sources:
    {{- range . }}
      {{- $secret := . }}
      - secret:
          name: {{ .secretName }}
          items:
          {{- range .keys }}
            - key: {{ . }}
              path: {{ $secret.name }}/{{ . }}
          {{- end }}
    {{- end }}
{{- end -}}

{{- define "chartly.keyVolume" -}}
- name: key
  secret:
    secretName: {{ . }}
    defaultMode: 288
    items:
      - key: admin.key
        path: admin.key
{{- end -}}

{{- /* The authority under the names that the programs look for. */ -}}
{{- define "chartly.authorityVolume" -}}
- name: authority
  secret:
    secretName: {{ . }}
    defaultMode: 288
    items:
      - key: tls-combined.pem
        path: authority.key
      - key: tls.crt
        path: authority.pem
{{- end -}}

{{- /* Takes secret and keys. */ -}}
{{- define "chartly.tlsVolume" -}}
- name: tls
  secret:
    secretName: {{ .secret }}
    defaultMode: 288
    items:
    {{- range .keys }}
      - key: {{ . }}
        path: {{ . }}
    {{- end }}
{{- end -}}

{{- /* A name that changes with the content: pods keep the configuration they were started with. */ -}}
{{- define "chartly.hashed" -}}
{{ .name }}-{{ .data | sha256sum | trunc 10 }}
{{- end -}}
