{{- /* Everything of one part of the control plane. Takes root and name, and for a second one of a part its component. */ -}}
{{- define "chartly.part" -}}
{{- $root := .root -}}
{{- $table := include "chartly.table" $root | fromYaml -}}
{{- $part := dict -}}
{{- range $table.parts }}{{ if eq .name $.name }}{{ $part = . }}{{ end }}{{ end -}}
{{- $values := index $root.Values .name -}}
{{- if $values.enabled -}}
{{- $component := default .name .component -}}
{{- $name := printf "%s-%s" (include "chartly.fullname" $root) $component -}}
{{- $config := include "chartly.partConfig" (dict "root" $root "part" $part "table" $table) -}}
{{- $context := dict "root" $root "part" $part "table" $table "values" $values "component" $component "plane" $part.plane
      "name" $name "account" $name "config" $config
      "configName" (include "chartly.hashed" (dict "name" $name "data" $config)) -}}
{{ include "chartly.account" $context }}
{{- include "chartly.gateRights" $context }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "chartly.metadata" (merge (dict "name" $context.configName) $context) | nindent 2 }}
immutable: true
data:
  {{- $config | nindent 2 }}
---
{{ include "chartly.services" $context }}
---
{{ include "chartly.partWorkload" $context }}
{{- include "chartly.autoscaler" $context }}
{{- include "chartly.disruptionBudget" $context }}
{{- include "chartly.networkPolicy" $context }}
{{- include "chartly.restore" $context }}
{{- end -}}
{{- end -}}

{{- /* Whether no pod is to run: while data are restored, or between two versions that cannot run beside each other. */ -}}
{{- define "chartly.stopped" -}}
{{- if or .Values.backup.restore .Values.rollout.stopped }}yes{{ end }}
{{- end -}}

{{- define "chartly.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{- /* The settings of a part. Its arguments refer to them, so that they are read in one place. */ -}}
{{- define "chartly.partConfig" -}}
ADMIN: 0.0.0.0:{{ .part.adminPort }}
{{- if eq .part.name "aggregator" }}
DEDUPE_MEMORY: {{ .root.Values.aggregator.dedupeMemory | quote }}
STORE_MEMORY: {{ .root.Values.aggregator.storeMemory | quote }}
{{- end }}
{{- if eq .part.name "reporter" }}
REPORT_MEMORY: {{ .root.Values.reporter.memory | quote }}
{{- end }}
{{- if and .root.Values.backup.enabled (eq .part.name "observer") }}
BACKUP_KEEP: {{ .root.Values.backup.keep | quote }}
{{- with .root.Values.backup.bucket }}
{{- if .url }}
BACKUP_S3: {{ .url | quote }}
BACKUP_S3_REGION: {{ .region | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .part.name "gateway") .root.Values.gateway.trustedProxies }}
TRUSTED_PROXIES: {{ join "," .root.Values.gateway.trustedProxies | quote }}
{{- end }}
{{- if eq .part.name "auth" }}
{{- with .root.Values.auth.oidc }}
{{- if .issuer }}
OIDC_AUDIENCE: {{ required "auth.oidc.issuer needs auth.oidc.audience" .audience | quote }}
{{- if .clientId }}
OIDC_CLIENT_ID: {{ .clientId | quote }}
{{- end }}
OIDC_ISSUER: {{ .issuer | quote }}
{{- if .projectClaim }}
OIDC_PROJECT_CLAIM: {{ .projectClaim | quote }}
{{- end }}
OIDC_ROLE_CLAIM: {{ .roleClaim | quote }}
{{- if .tenantClaim }}
OIDC_TENANT_CLAIM: {{ .tenantClaim | quote }}
{{- end }}
{{- if .clientId }}
PUBLIC_URL: {{ required "auth.oidc.clientId needs auth.oidc.publicUrl" .publicUrl | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq .part.name "coordinator" }}
HEARTBEAT_MS: {{ .root.Values.coordinator.heartbeatMs | quote }}
{{- end }}
LISTEN: 0.0.0.0:8090
LOG_LEVEL: {{ default .root.Values.logLevel (index .root.Values .part.name).logLevel | quote }}
{{- range .table.parts }}
{{- if has .name $.part.calls }}
PEER_{{ upper .name }}: {{ include "chartly.address" (dict "root" $.root "part" .) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "chartly.services" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- include "chartly.selectorLabels" . | nindent 4 }}
  ports:
    - name: {{ .part.protocol }}
      port: {{ .part.port }}
      targetPort: {{ .part.protocol }}
      protocol: TCP
      appProtocol: {{ include "chartly.appProtocol" . }}
---
{{ include "chartly.adminService" . }}
{{- end -}}

{{- define "chartly.appProtocol" -}}
{{- if eq .part.protocol "grpc" }}{{ if .root.Values.rpcTls.authoritySecret }}https{{ else }}kubernetes.io/h2c{{ end }}{{ else }}{{ if .values.tlsSecret }}https{{ else }}http{{ end }}{{ end }}
{{- end -}}

{{- /* One address a pod, ready or not: what is scraped is the pod, and a part that is not ready is worth seeing. */ -}}
{{- define "chartly.adminService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "chartly.metadata" (merge (dict "name" (printf "%s-admin" .name)) .) | nindent 2 }}
spec:
  type: ClusterIP
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "chartly.selectorLabels" . | nindent 4 }}
  ports:
    - name: admin
      port: {{ .part.adminPort }}
      targetPort: admin
      protocol: TCP
      appProtocol: http
{{- end -}}

{{- define "chartly.partWorkload" -}}
{{- $keeps := eq .part.kind "StatefulSet" -}}
apiVersion: apps/v1
kind: {{ .part.kind }}
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
spec:
  {{- if $keeps }}
  replicas: {{ include "chartly.stopped" .root | empty | ternary 1 0 }}
  serviceName: {{ .name }}-admin
  podManagementPolicy: Parallel
  {{- else if include "chartly.stopped" .root }}
  replicas: 0
  {{- else if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ .root.Values.rollout.revisionHistoryLimit }}
  minReadySeconds: {{ .root.Values.rollout.minReadySeconds }}
  {{- if $keeps }}
  updateStrategy:
    type: RollingUpdate
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
      {{- if include "chartly.waits" . }}
      readinessGates:
        - conditionType: argocd.argoproj.io/health
      {{- end }}
      {{- include "chartly.spread" . | nindent 6 }}
      containers:
        - name: {{ .part.name }}
          image: {{ include "chartly.image" .root }}
          imagePullPolicy: IfNotPresent
          command: [/usr/bin/chartly-control]
          args:
            {{- include "chartly.partArguments" . | nindent 12 }}
          envFrom:
            - configMapRef:
                name: {{ .configName }}
          {{- with .root.Values.keys.registryKeySecret }}
          env:
            - name: REGISTRY_API_KEY
              valueFrom:
                secretKeyRef:
                  name: {{ . }}
                  key: registry.key
          {{- end }}
          ports:
            - name: {{ .part.protocol }}
              containerPort: {{ .part.port }}
              protocol: TCP
            - name: admin
              containerPort: {{ .part.adminPort }}
              protocol: TCP
          {{- include "chartly.probes" . | nindent 10 }}
          {{- if eq .part.name "gateway" }}
          lifecycle:
            preStop:
              sleep:
                seconds: 5
          {{- end }}
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "chartly.containerSecurityContext" .root | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /app/data
            - name: tmp
              mountPath: /tmp
            - name: key
              mountPath: /etc/chartly/key
              readOnly: true
            {{- if include "chartly.backsUp" . }}
            - name: backup
              mountPath: /app/backup
            {{- end }}
            {{- if and (include "chartly.backsUp" .) (eq .part.name "observer") .root.Values.backup.bucket.url }}
            - name: bucket
              mountPath: /etc/chartly/bucket
              readOnly: true
            {{- end }}
            {{- if .root.Values.rpcTls.authoritySecret }}
            - name: authority
              mountPath: /etc/chartly/authority
              readOnly: true
            {{- end }}
            {{- if .values.tlsSecret }}
            - name: tls
              mountPath: /etc/chartly/tls
              readOnly: true
            {{- end }}
            {{- if include "chartly.oidcFiles" . }}
            - name: issuer
              mountPath: /etc/chartly/issuer
              readOnly: true
            {{- end }}
            {{- if .values.secrets }}
            - name: secrets
              mountPath: /etc/chartly/secrets
              readOnly: true
            {{- end }}
            {{- if include "chartly.opensGates" . }}
            - name: account
              mountPath: /var/run/secrets/kubernetes.io/serviceaccount
              readOnly: true
            {{- end }}
      volumes:
        {{- if not $keeps }}
        - name: data
          emptyDir:
            sizeLimit: 64Mi
        {{- end }}
        - name: tmp
          emptyDir:
            sizeLimit: 64Mi
        {{- include "chartly.keyVolume" .root.Values.keys.adminKeySecret | nindent 8 }}
        {{- if include "chartly.backsUp" . }}
        {{- include "chartly.backupVolume" .root | nindent 8 }}
        {{- end }}
        {{- if and (include "chartly.backsUp" .) (eq .part.name "observer") .root.Values.backup.bucket.url }}
        {{- include "chartly.bucketVolume" .root | nindent 8 }}
        {{- end }}
        {{- with .root.Values.rpcTls.authoritySecret }}
        {{- include "chartly.authorityVolume" . | nindent 8 }}
        {{- end }}
        {{- with .values.tlsSecret }}
        {{- include "chartly.tlsVolume" (dict "secret" . "keys" (list "tls.crt" "tls.key")) | nindent 8 }}
        {{- end }}
        {{- if include "chartly.oidcFiles" . }}
        {{- include "chartly.oidcVolume" .values.oidc | nindent 8 }}
        {{- end }}
        {{- with .values.secrets }}
        {{- include "chartly.secretsVolume" . | nindent 8 }}
        {{- end }}
        {{- if include "chartly.opensGates" . }}
        {{- include "chartly.accountVolume" . | nindent 8 }}
        {{- end }}
  {{- if $keeps }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: Retain
    whenScaled: Retain
  volumeClaimTemplates:
    {{- include "chartly.claim" . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "chartly.partArguments" -}}
- --services={{ .part.name }}
- --data=/app/data
- --key-file=/etc/chartly/key/admin.key
- --listen=$(LISTEN)
- --rpc-host=0.0.0.0
- --admin=$(ADMIN)
- --log-level=$(LOG_LEVEL)
{{- if eq .part.name "aggregator" }}
- --dedupe-memory=$(DEDUPE_MEMORY)
- --store-memory=$(STORE_MEMORY)
{{- end }}
{{- if eq .part.name "reporter" }}
- --report-memory=$(REPORT_MEMORY)
{{- end }}
{{- if and (eq .part.name "auth") .root.Values.auth.oidc.issuer }}
{{- include "chartly.oidcArguments" .values.oidc | nindent 0 }}
{{- end }}
{{- if eq .part.name "coordinator" }}
- --heartbeat-ms=$(HEARTBEAT_MS)
{{- end }}
{{- if include "chartly.backsUp" . }}
- --backup-dir=/app/backup
{{- end }}
{{- if and .root.Values.backup.enabled (eq .part.name "observer") }}
- --backup-keep=$(BACKUP_KEEP)
{{- if .root.Values.backup.bucket.url }}
- --backup-s3=$(BACKUP_S3)
- --backup-s3-region=$(BACKUP_S3_REGION)
{{- include "chartly.bucketFiles" .root | nindent 0 }}
{{- end }}
{{- end }}
{{- if and (eq .part.name "gateway") .values.trustedProxies }}
- --trusted-proxies=$(TRUSTED_PROXIES)
{{- end }}
{{- if include "chartly.opensGates" . }}
- {{ printf "--gate-pods=app.kubernetes.io/name=%s,app.kubernetes.io/instance=%s" (include "chartly.name" .root) .root.Release.Name | quote }}
{{- end }}
{{- if .root.Values.rpcTls.authoritySecret }}
- --rpc-tls
- --tls-dir=/etc/chartly/authority
{{- end }}
{{- if .values.tlsSecret }}
- --tls-cert=/etc/chartly/tls/tls.crt
- --tls-key=/etc/chartly/tls/tls.key
{{- end }}
{{- if .values.secrets }}
- --secrets-dir=/etc/chartly/secrets
{{- end }}
{{- range .part.calls }}
- --peer={{ . }}=$(PEER_{{ upper . }})
{{- end }}
{{- end -}}

{{- define "chartly.oidcArguments" -}}
- --oidc-issuer=$(OIDC_ISSUER)
- --oidc-audience=$(OIDC_AUDIENCE)
- --oidc-role-claim=$(OIDC_ROLE_CLAIM)
{{- if .tenantClaim }}
- --oidc-tenant-claim=$(OIDC_TENANT_CLAIM)
{{- end }}
{{- if .projectClaim }}
- --oidc-project-claim=$(OIDC_PROJECT_CLAIM)
{{- end }}
{{- range .roles }}
- {{ printf "--oidc-role=%s" . | quote }}
{{- end }}
{{- if .caConfigMap }}
- --oidc-ca-file=/etc/chartly/issuer/ca.crt
{{- end }}
{{- if .clientId }}
- --oidc-client-id=$(OIDC_CLIENT_ID)
{{- if .clientSecret }}
- --oidc-client-secret-file=/etc/chartly/issuer/client-secret
{{- end }}
{{- range .scopes }}
- {{ printf "--oidc-scope=%s" . | quote }}
{{- end }}
- --public-url=$(PUBLIC_URL)
{{- end }}
{{- end -}}

{{- /* Whether the part needs files of the issuer. */ -}}
{{- define "chartly.oidcFiles" -}}
{{- if eq .part.name "auth" }}
{{- with .values.oidc }}{{ if and .issuer (or .caConfigMap (and .clientId .clientSecret)) }}yes{{ end }}{{ end }}
{{- end }}
{{- end -}}

{{- define "chartly.oidcVolume" -}}
- name: issuer
  projected:
    defaultMode: 288
    sources:
    {{- with .caConfigMap }}
      - configMap:
          name: {{ . }}
          items:
            - key: ca.crt
              path: ca.crt
    {{- end }}
    {{- if and .clientId .clientSecret }}
      - secret:
          name: {{ .clientSecret }}
          items:
            - key: client-secret
              path: client-secret
    {{- end }}
{{- end -}}

{{- define "chartly.claim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: data
    labels:
      {{- include "chartly.selectorLabels" . | nindent 6 }}
  spec:
    accessModes: [ReadWriteOnce]
    volumeMode: Filesystem
    {{- with .values.storage.className }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .values.storage.size }}
{{- end -}}

{{- define "chartly.autoscaler" -}}
{{- if and (eq .part.kind "Deployment") .values.autoscaling.enabled (not (include "chartly.stopped" .root)) }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ .values.autoscaling.minReplicas }}
  maxReplicas: {{ .values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .values.autoscaling.cpuPercent }}
{{- end }}
{{- end -}}

{{- /* One replica may always be moved: a budget that forbids it would hold up the upgrade of a node for ever. */ -}}
{{- define "chartly.disruptionBudget" -}}
{{- if .root.Values.disruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "chartly.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  {{- /* Else a pod that does not become ready holds up the drain of its node. */}}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "chartly.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end -}}
