{{- /* Who may reach a component, and whom it may reach. Takes root, part, table, component, plane and name. */ -}}
{{- define "chartly.networkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled }}
{{- $callers := list -}}
{{- range .table.parts }}{{ if has $.part.name .calls }}{{ $callers = append $callers .name }}{{ end }}{{ end -}}
{{- if has .part.name .table.drone.calls }}{{ $callers = append $callers "drone" }}{{ end }}
{{- if and (has "gateway" $callers) .root.Values.blueGreen.enabled }}{{ $callers = append $callers "gateway-green" }}{{ end }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "chartly.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if eq .part.name "gateway" }}
    - ports:
        - {port: {{ .part.port }}, protocol: TCP}
      {{- with .root.Values.networkPolicy.gatewayFrom }}
      from:
        {{- toYaml . | nindent 8 }}
        - podSelector:
            matchLabels:
              {{- include "chartly.selectorLabels" (dict "root" $.root "component" "observer") | nindent 14 }}
        {{- range list "smoke" "backup" }}
        - podSelector:
            matchLabels:
              {{- include "chartly.selectorLabels" (dict "root" $.root "component" .) | nindent 14 }}
        {{- end }}
      {{- end }}
    {{- else if $callers }}
    - ports:
        - {port: {{ .part.port }}, protocol: TCP}
      from:
        {{- range $callers }}
        - podSelector:
            matchLabels:
              {{- include "chartly.selectorLabels" (dict "root" $.root "component" .) | nindent 14 }}
        {{- end }}
    {{- end }}
    {{- include "chartly.scrapeRule" . | nindent 4 }}
  egress:
    {{- include "chartly.dnsRule" . | nindent 4 }}
    {{- with include "chartly.callRules" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with include "chartly.gateEgress" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- if and (eq .part.name "auth") (index .root.Values "auth" "oidc" "issuer") }}
    - ports:
        - {port: {{ .root.Values.auth.oidc.port }}, protocol: TCP}
    {{- end }}
    {{- if eq .part.name "observer" }}
    {{- with include "chartly.bucketEgress" .root | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- /* Takes root and part. */ -}}
{{- define "chartly.scrapeRule" -}}
- ports:
    - {port: {{ .part.adminPort }}, protocol: TCP}
  from:
    {{- with .root.Values.networkPolicy.scrapeFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - podSelector:
        matchLabels:
          {{- include "chartly.selectorLabels" (dict "root" .root "component" "prometheus") | nindent 10 }}
    {{- if and .root.Values.readinessGate.enabled (not (has .part.name (list "observer" "drone"))) }}
    - podSelector:
        matchLabels:
          {{- include "chartly.selectorLabels" (dict "root" .root "component" "observer") | nindent 10 }}
    {{- end }}
{{- end -}}

{{- define "chartly.dnsRule" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{- /* Parts that run elsewhere cannot be selected, so their port is open to any address. */ -}}
{{- define "chartly.callRules" -}}
{{- range $i, $called := .part.calls }}
{{- range $.table.parts }}
{{- if eq .name $called }}
{{- if $i }}
{{ end }}
{{- $values := index $.root.Values .name }}
{{- if $values.address }}
- ports:
    - {port: {{ $values.address | splitList ":" | last | int }}, protocol: TCP}
{{- else }}
- ports:
    - {port: {{ .port }}, protocol: TCP}
  to:
    - podSelector:
        matchLabels:
          {{- include "chartly.selectorLabels" (dict "root" $.root "component" .name) | nindent 10 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
