{{- define "postgresql.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "postgresql.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: database
{{- end -}}

{{- define "postgresql.podLabels" -}}
{{ include "postgresql.selectorLabels" . }}
app.kubernetes.io/part-of: chartly-infrastructure
app.kubernetes.io/version: {{ include "postgresql.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* Takes root and name. */ -}}
{{- define "postgresql.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "postgresql.podLabels" .root | nindent 2 }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "postgresql.version" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{- define "postgresql.image" -}}
{{- if and .Values.image.requireDigest (not .Values.image.digest) -}}
{{- fail "image.requireDigest is true: give image.digest, the sha256 of the image" -}}
{{- end -}}
{{ .Values.image.repository }}:{{ include "postgresql.version" . }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- define "postgresql.config" -}}
postgresql.conf: |
  listen_addresses = '*'
  port = 5432
  unix_socket_directories = '/tmp'
  max_connections = {{ .Values.settings.maxConnections }}
  shared_buffers = {{ .Values.settings.sharedBuffers }}
  password_encryption = 'scram-sha-256'
  log_destination = 'stderr'
  logging_collector = off
  log_line_prefix = '%m [%p] %u@%d '
  log_timezone = 'UTC'
  timezone = 'UTC'
  {{- if .Values.tlsSecret }}
  ssl = on
  ssl_cert_file = '/etc/postgresql-tls/tls.crt'
  ssl_key_file = '/etc/postgresql-tls/tls.key'
  {{- end }}
pg_hba.conf: |
  # The server's own set-up, and everybody else by password.
  local all all scram-sha-256
  {{ if .Values.tlsSecret }}hostssl{{ else }}host{{ end }} all all all scram-sha-256
{{- end -}}
