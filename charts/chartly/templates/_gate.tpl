{{- /* Readiness gates: pods of the control plane that wait for the word of the observer, and what it needs to give it. */ -}}

{{- /* Whether the pods of a part wait. The observer does not wait for itself, and drones wait for nobody. */ -}}
{{- define "chartly.waits" -}}
{{- if and .root.Values.readinessGate.enabled (ne .part.name "observer") -}}
{{- if not .root.Values.observer.enabled -}}
{{- fail "readinessGate.enabled: no pod would become ready, since observer.enabled is false" -}}
{{- end -}}
yes
{{- end -}}
{{- end -}}

{{- define "chartly.opensGates" -}}
{{- if and .root.Values.readinessGate.enabled (eq .part.name "observer") }}yes{{ end }}
{{- end -}}

{{- /* What an account may that opens gates: nothing but that, in its own namespace. */ -}}
{{- define "chartly.gateRights" -}}
{{- if include "chartly.opensGates" . }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  - apiGroups: [""]
    resources: [pods/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
{{- end -}}

{{- /* The token by itself: short-lived, and in no other pod. */ -}}
{{- define "chartly.accountVolume" -}}
- name: account
  projected:
    defaultMode: 288
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                apiVersion: v1
                fieldPath: metadata.namespace
{{- end -}}

{{- /* The observer reaches the API of the cluster, and asks pods at their admin ports. */ -}}
{{- define "chartly.gateEgress" -}}
{{- if include "chartly.opensGates" . }}
- ports:
    {{- range .root.Values.readinessGate.apiPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
- ports:
    {{- range .table.parts }}
    {{- if ne .name "observer" }}
    - {port: {{ .adminPort }}, protocol: TCP}
    {{- end }}
    {{- end }}
  to:
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ include "chartly.name" .root }}
          app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}
{{- end -}}
