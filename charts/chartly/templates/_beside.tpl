{{- /* Gateways of another version beside the one of the release: a green one, and a canary. */ -}}

{{- /* The values of the release, with the image that runs beside; as YAML. Takes root, image ({tag, digest}) and where the
       values name it. */ -}}
{{- define "chartly.valuesBeside" -}}
{{- if and .root.Values.image.requireDigest (not .image.digest) -}}
{{- fail (printf "image.requireDigest is true: give %s.digest, the sha256 of the release that is promoted" .where) -}}
{{- end -}}
{{- if not .image.tag -}}
{{- fail (printf "%s.tag: the version that runs beside the one of the release" .where) -}}
{{- end -}}
{{- $image := merge (dict "tag" .image.tag "digest" .image.digest) (omit .root.Values.image "tag" "digest") }}
{{- toYaml (set (omit .root.Values "image") "image" $image) }}
{{- end -}}

{{- define "chartly.greenValues" -}}
{{ include "chartly.valuesBeside" (dict "root" . "image" .Values.blueGreen.green "where" "blueGreen.green") }}
{{- end -}}

{{- define "chartly.canaryValues" -}}
{{ include "chartly.valuesBeside" (dict "root" . "image" .Values.canary "where" "canary") }}
{{- end -}}

{{- /* A second gateway with everything that the first has, and the Service through which it is tried before it is live. */ -}}
{{- define "chartly.green" -}}
{{- if and .Values.blueGreen.enabled .Values.gateway.enabled }}
{{- $root := include "chartly.greenValues" . | fromYaml | set (omit . "Values") "Values" }}
---
{{ include "chartly.part" (dict "root" $root "name" "gateway" "component" "gateway-green") }}
{{- end }}
{{- end -}}

{{- /* Pods behind the Service of the gateway, in a Deployment of their own; all else is the gateway's. */ -}}
{{- define "chartly.canary" -}}
{{- if and .Values.canary.enabled .Values.gateway.enabled }}
{{- $root := include "chartly.canaryValues" . | fromYaml | set (omit . "Values") "Values" }}
{{- $table := include "chartly.table" . | fromYaml }}
{{- $part := first $table.parts }}
{{- $name := printf "%s-gateway" (include "chartly.fullname" .) }}
{{- $config := include "chartly.partConfig" (dict "root" . "part" $part "table" $table) }}
{{- $values := merge (dict "replicas" .Values.canary.replicas "autoscaling" (dict "enabled" false)) (omit .Values.gateway "replicas" "autoscaling") }}
---
{{ include "chartly.partWorkload" (dict "root" $root "part" $part "table" $table "values" $values "component" "gateway"
   "track" "canary" "plane" $part.plane "name" (printf "%s-canary" $name) "account" $name
   "configName" (include "chartly.hashed" (dict "name" $name "data" $config))) }}
{{- end }}
{{- end -}}

{{- /* A pod that runs the version of an image and ends. Takes root and name. */ -}}
{{- define "chartly.preflight" -}}
{{- $context := dict "root" .root "component" "preflight" "name" (printf "%s-%s" (include "chartly.fullname" .root) .name) "values" (dict) "account" "default" "restart" "Never" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ $context.name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "chartly.labels" $context | nindent 4 }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  {{- include "chartly.podHead" $context | nindent 2 }}
  activeDeadlineSeconds: {{ .root.Values.preflight.deadlineSeconds }}
  containers:
    - name: version
      image: {{ include "chartly.image" .root }}
      imagePullPolicy: IfNotPresent
      command: [/usr/bin/chartly]
      args: [--version]
      resources:
        {{- toYaml .root.Values.preflight.resources | nindent 8 }}
      securityContext:
        {{- include "chartly.containerSecurityContext" .root | nindent 8 }}
{{- end -}}

{{- /* The Service of the gateway that people reach. */ -}}
{{- define "chartly.liveGateway" -}}
{{- $green := eq .Values.blueGreen.live "green" -}}
{{- if and $green (not .Values.blueGreen.enabled) -}}
{{- fail "blueGreen.live is green, and blueGreen.enabled is false: nothing would answer" -}}
{{- end -}}
{{ include "chartly.fullname" . }}-gateway{{ if $green }}-green{{ end }}
{{- end -}}
