{{- define "chartly.droneConfig" -}}
ADMIN: 0.0.0.0:{{ .table.drone.adminPort }}
CAPACITY: {{ .root.Values.drone.capacity | quote }}
CAPTURE_BYTES: {{ .root.Values.drone.captureBytes | quote }}
CHARTLY_EGRESS_ALLOW: {{ join "," .root.Values.drone.egressAllow | quote }}
CONTROL_PLANE: http://{{ include "chartly.address" (dict "root" .root "part" (index .table.parts 0)) }}
LOG_LEVEL: {{ default .root.Values.logLevel .root.Values.drone.logLevel | quote }}
{{- range .table.parts }}
{{- if has .name $.table.drone.calls }}
PEER_{{ upper .name }}: {{ include "chartly.address" (dict "root" $.root "part" .) }}
{{- end }}
{{- end }}
SPOOL_BYTES: {{ .root.Values.drone.spoolBytes | quote }}
{{- with .root.Values.drone.consent }}
consent.yaml: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "chartly.droneWorkload" -}}
{{- $drone := .root.Values.drone -}}
apiVersion: apps/v1
kind: {{ $drone.kind }}
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
spec:
  {{- if ne $drone.kind "DaemonSet" }}
  replicas: {{ include "chartly.stopped" .root | empty | ternary $drone.replicas 0 }}
  {{- end }}
  revisionHistoryLimit: {{ .root.Values.rollout.revisionHistoryLimit }}
  minReadySeconds: {{ .root.Values.rollout.minReadySeconds }}
  {{- if eq $drone.kind "StatefulSet" }}
  serviceName: {{ .name }}-admin
  podManagementPolicy: Parallel
  updateStrategy:
    type: RollingUpdate
  {{- else if eq $drone.kind "DaemonSet" }}
  updateStrategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 0
      maxUnavailable: 1
  {{- else }}
  progressDeadlineSeconds: {{ .root.Values.rollout.progressDeadlineSeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  {{- end }}
  selector:
    matchLabels:
      {{- include "chartly.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "chartly.podLabels" . | nindent 8 }}
    spec:
      {{- include "chartly.podHead" . | nindent 6 }}
      terminationGracePeriodSeconds: 30
      {{- if ne $drone.kind "DaemonSet" }}
      {{- include "chartly.spread" . | nindent 6 }}
      {{- end }}
      {{- if .root.Values.rpcTls.authoritySecret }}
      initContainers:
        {{- include "chartly.droneJoin" . | nindent 8 }}
      {{- end }}
      containers:
        - name: drone
          image: {{ include "chartly.image" .root }}
          imagePullPolicy: IfNotPresent
          command: [/usr/bin/chartly-drone]
          args:
            - --id=$(DRONE_ID)
            - --data=/app/data
            - --control-plane=$(CONTROL_PLANE)
            {{- range .part.calls }}
            - --{{ . }}=$(PEER_{{ upper . }})
            {{- end }}
            {{- if .root.Values.rpcTls.authoritySecret }}
            - --identity-dir=/app/data/identity
            {{- else }}
            - --key-file=/etc/chartly/key/admin.key
            {{- end }}
            - --source-dir={{ $drone.sourceDir }}
            - --capacity=$(CAPACITY)
            - --spool-bytes=$(SPOOL_BYTES)
            - --capture-bytes=$(CAPTURE_BYTES)
            - --admin=$(ADMIN)
            - --log-level=$(LOG_LEVEL)
            {{- if $drone.consent }}
            - --consent=/etc/chartly/consent/consent.yaml
            {{- end }}
            {{- if $drone.secrets }}
            - --secrets-dir=/etc/chartly/secrets
            {{- end }}
            {{- range $label, $value := $drone.labels }}
            - --label={{ $label }}={{ $value }}
            {{- end }}
          envFrom:
            - configMapRef:
                name: {{ .configName }}
          env:
            {{- include "chartly.droneId" . | nindent 12 }}
          ports:
            - name: admin
              containerPort: {{ .part.adminPort }}
              protocol: TCP
          {{- include "chartly.probes" . | nindent 10 }}
          resources:
            {{- toYaml $drone.resources | nindent 12 }}
          securityContext:
            {{- include "chartly.containerSecurityContext" .root | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /app/data
            - name: tmp
              mountPath: /tmp
            {{- if not .root.Values.rpcTls.authoritySecret }}
            - name: key
              mountPath: /etc/chartly/key
              readOnly: true
            {{- end }}
            {{- if $drone.consent }}
            - name: consent
              mountPath: /etc/chartly/consent
              readOnly: true
            {{- end }}
            {{- if $drone.secrets }}
            - name: secrets
              mountPath: /etc/chartly/secrets
              readOnly: true
            {{- end }}
      volumes:
        {{- if ne $drone.kind "StatefulSet" }}
        - name: data
          emptyDir:
            sizeLimit: {{ $drone.storage.size }}
        {{- end }}
        - name: tmp
          emptyDir:
            sizeLimit: 256Mi
        {{- include "chartly.keyVolume" (default .root.Values.keys.adminKeySecret .root.Values.keys.droneKeySecret) | nindent 8 }}
        {{- if and .root.Values.rpcTls.authoritySecret .root.Values.gateway.tlsSecret }}
        {{- include "chartly.tlsVolume" (dict "secret" .root.Values.gateway.tlsSecret "keys" (list "ca.crt")) | nindent 8 }}
        {{- end }}
        {{- if $drone.consent }}
        - name: consent
          configMap:
            name: {{ .configName }}
            items:
              - key: consent.yaml
                path: consent.yaml
        {{- end }}
        {{- with $drone.secrets }}
        {{- include "chartly.secretsVolume" . | nindent 8 }}
        {{- end }}
  {{- if eq $drone.kind "StatefulSet" }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: Retain
    whenScaled: Retain
  volumeClaimTemplates:
    {{- include "chartly.claim" . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- /* The key makes a token, with which the drone gets its identity; none of it if it has one. */ -}}
{{- define "chartly.droneJoin" -}}
- name: join
  image: {{ include "chartly.image" .root }}
  imagePullPolicy: IfNotPresent
  command: [/usr/bin/chartly]
  args:
    - drone
    - join
    - $(DRONE_ID)
    - --identity-dir=/app/data/identity
    - --key-file=/etc/chartly/key/admin.key
    {{- if .root.Values.gateway.tlsSecret }}
    - --ca-file=/etc/chartly/tls/ca.crt
    {{- end }}
    - --url=http{{ if .root.Values.gateway.tlsSecret }}s{{ end }}://{{ include "chartly.address" (dict "root" .root "part" (index .table.parts 0)) }}
  env:
    {{- include "chartly.droneId" . | nindent 4 }}
  resources:
    {{- toYaml .root.Values.preflight.resources | nindent 4 }}
  securityContext:
    {{- include "chartly.containerSecurityContext" .root | nindent 4 }}
  volumeMounts:
    - name: data
      mountPath: /app/data
    - name: key
      mountPath: /etc/chartly/key
      readOnly: true
    {{- if .root.Values.gateway.tlsSecret }}
    - name: tls
      mountPath: /etc/chartly/tls
      readOnly: true
    {{- end }}
{{- end -}}

{{- define "chartly.droneId" -}}
- name: DRONE_ID
  valueFrom:
    fieldRef:
      fieldPath: {{ eq .root.Values.drone.kind "DaemonSet" | ternary "spec.nodeName" "metadata.name" }}
{{- end -}}

{{- define "chartly.droneNetworkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled }}
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
    {{- include "chartly.scrapeRule" . | nindent 4 }}
  egress:
    {{- include "chartly.dnsRule" . | nindent 4 }}
    {{- include "chartly.callRules" . | trim | nindent 4 }}
    {{- with .root.Values.networkPolicy.sources }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}
