{{- define "chartly.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "chartly.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "chartly.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "chartly.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selects the pods of one component: never changes between versions. Takes root, component and, for a canary,
       its track. */ -}}
{{- define "chartly.selectorLabels" -}}
app.kubernetes.io/name: {{ include "chartly.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .track }}
chartly.io/track: {{ . }}
{{- end }}
{{- end -}}

{{- /* Of pods: without the chart's version, so that a new chart moves only the pods that it changes. */ -}}
{{- define "chartly.podLabels" -}}
{{ include "chartly.selectorLabels" . }}
app.kubernetes.io/part-of: chartly
app.kubernetes.io/version: {{ include "chartly.version" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
chartly.io/plane: {{ .plane }}
{{- end -}}

{{- /* Takes root, component and, for a part, its plane. */ -}}
{{- define "chartly.labels" -}}
{{ include "chartly.selectorLabels" . }}
app.kubernetes.io/part-of: chartly
app.kubernetes.io/version: {{ include "chartly.version" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .plane }}
chartly.io/plane: {{ . }}
{{- end }}
{{- end -}}

{{- define "chartly.annotations" -}}
{{- with .Values.commit }}
chartly.io/commit: {{ . | quote }}
{{- end }}
{{- with .Values.commonAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* name, namespace, labels and annotations of an object. Takes root, component, plane and name. */ -}}
{{- define "chartly.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "chartly.labels" . | nindent 2 }}
{{- with include "chartly.annotations" .root | trim }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The parts as files/parts.yaml lists them, as {"parts": [...], "drone": {...}}. */ -}}
{{- define "chartly.table" -}}
{{ .Files.Get "files/parts.yaml" }}
{{- end -}}

{{- /* HOST:PORT of a part: its Service, or the address that the values name where it runs elsewhere. */ -}}
{{- define "chartly.address" -}}
{{- $values := index .root.Values .part.name -}}
{{- if $values.address -}}
{{ $values.address }}
{{- else if $values.enabled -}}
{{ include "chartly.fullname" .root }}-{{ .part.name }}:{{ .part.port }}
{{- else -}}
{{- fail (printf "%s.enabled is false: say in %s.address where the other parts find it" .part.name .part.name) -}}
{{- end -}}
{{- end -}}

{{- define "chartly.version" -}}
{{- default .Chart.AppVersion (trimPrefix "v" .Values.image.tag) -}}
{{- end -}}

{{- define "chartly.image" -}}
{{- $image := .Values.image -}}
{{- if and $image.requireDigest (not $image.digest) -}}
{{- fail "image.requireDigest is true: give image.digest, the sha256 of the release that is promoted" -}}
{{- end -}}
{{ $image.repository }}:v{{ include "chartly.version" . }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end -}}
