{{- define "nginx.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "nginx.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: way-in
{{- end -}}

{{- define "nginx.podLabels" -}}
{{ include "nginx.selectorLabels" . }}
app.kubernetes.io/part-of: chartly-infrastructure
app.kubernetes.io/version: {{ include "nginx.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* Takes root, name and annotations beside the common ones. */ -}}
{{- define "nginx.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "nginx.podLabels" .root | nindent 2 }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "nginx.version" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{- define "nginx.image" -}}
{{- if and .Values.image.requireDigest (not .Values.image.digest) -}}
{{- fail "image.requireDigest is true: give image.digest, the sha256 of the image" -}}
{{- end -}}
{{ .Values.image.repository }}:{{ include "nginx.version" . }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- define "nginx.config" -}}
{{- $tls := not (empty .Values.tlsSecret) -}}
{{- $scheme := empty .Values.gateway.caConfigMap | ternary "http" "https" -}}
nginx.conf: |
  worker_processes 2;
  pid /tmp/nginx.pid;
  error_log stderr warn;
  events {
    worker_connections 4096;
  }
  http {
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server_tokens off;
    {{- if .Values.accessLog }}
    # Without the query, in which a key may stand.
    log_format line '$time_iso8601 info request method="$request_method" path="$uri" status="$status" '
                    'seconds="$request_time" request_id="$sent_http_x_request_id"';
    access_log /dev/stdout line;
    {{- else }}
    access_log off;
    {{- end }}
    client_max_body_size {{ .Values.maxBody }};
    keepalive_timeout 65s;
    upstream gateway {
      server {{ .Values.gateway.host }}:{{ .Values.gateway.port }};
      keepalive 32;
    }
    # What the kubelet asks.
    server {
      listen 8081;
      access_log off;
      location = /ready { return 200 "ready\n"; }
      location = /health { return 200 "ok\n"; }
      location / { return 404; }
    }
    server {
      {{- if $tls }}
      listen 8443 ssl;
      ssl_certificate /etc/nginx-tls/tls.crt;
      ssl_certificate_key /etc/nginx-tls/tls.key;
      ssl_protocols TLSv1.2 TLSv1.3;
      {{- else }}
      listen 8080;
      {{- end }}
      location / {
        proxy_pass {{ $scheme }}://gateway;
        {{- if .Values.gateway.caConfigMap }}
        proxy_ssl_trusted_certificate /etc/nginx-gateway/ca.crt;
        proxy_ssl_verify on;
        proxy_ssl_name {{ .Values.gateway.host }};
        proxy_ssl_server_name on;
        {{- end }}
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        # Replaced, not added to: what a caller says of itself is no address.
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        # Streams of events and of records go through as they come, in both directions.
        proxy_buffering off;
        proxy_request_buffering off;
        proxy_read_timeout {{ .Values.readTimeout }};
        proxy_send_timeout 60s;
        proxy_connect_timeout 5s;
      }
    }
  }
{{- end -}}
