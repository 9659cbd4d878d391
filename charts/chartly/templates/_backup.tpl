{{- /* Whether a part writes to the folder of backups: what keeps something, and the observer, which names what is whole. */ -}}
{{- define "chartly.backsUp" -}}
{{- if and .root.Values.backup.enabled (or (eq .part.kind "StatefulSet") (eq .part.name "observer")) }}yes{{ end -}}
{{- end -}}

{{- define "chartly.backupClaim" -}}
{{- default (printf "%s-backup" (include "chartly.fullname" .)) .Values.backup.claim -}}
{{- end -}}

{{- define "chartly.backupVolume" -}}
- name: backup
  persistentVolumeClaim:
    claimName: {{ include "chartly.backupClaim" . }}
{{- end -}}

{{- /* Where the keys of the bucket and its authority are; each on a line of its own. */ -}}
{{- define "chartly.bucketFiles" -}}
- --backup-s3-credentials=/etc/chartly/bucket/credentials
{{- if .Values.backup.bucket.caConfigMap }}
- --backup-s3-ca-file=/etc/chartly/bucket/ca.crt
{{- end }}
{{- end -}}

{{- define "chartly.bucketVolume" -}}
- name: bucket
  projected:
    defaultMode: 288
    sources:
      - secret:
          name: {{ required "backup.bucket.url needs backup.bucket.credentialsSecret" .Values.backup.bucket.credentialsSecret }}
          items:
            - key: credentials
              path: credentials
    {{- with .Values.backup.bucket.caConfigMap }}
      - configMap:
          name: {{ . }}
          items:
            - key: ca.crt
              path: ca.crt
    {{- end }}
{{- end -}}

{{- /* The port of the bucket: an address outside of the cluster cannot be selected. */ -}}
{{- define "chartly.bucketEgress" -}}
{{- if and .Values.backup.enabled .Values.backup.bucket.url }}
{{- $at := index (splitList "/" .Values.backup.bucket.url) 2 | splitList ":" }}
- ports:
    - {port: {{ if eq (len $at) 2 }}{{ last $at | int }}{{ else }}443{{ end }}, protocol: TCP}
{{- end }}
{{- end -}}

{{- /* A part's claim under the name that its StatefulSet looks for, and the job that restores the backup into it. */ -}}
{{- define "chartly.restore" -}}
{{- if and .root.Values.backup.restore (eq .part.kind "StatefulSet") }}
{{- $job := dict "root" .root "component" "restore" "plane" .plane "restart" "Never" "account" .account
      "values" .values "name" (include "chartly.hashed" (dict "name" (printf "%s-restore" .name) "data" (printf "%s%s" .root.Values.backup.restore .root.Values.backup.restoreTo))) }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data-{{ .name }}-0
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "chartly.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
    {{- with include "chartly.annotations" .root | trim }}
    {{- . | nindent 4 }}
    {{- end }}
spec:
  accessModes: [ReadWriteOnce]
  volumeMode: Filesystem
  {{- with .values.storage.className }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .values.storage.size }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "chartly.metadata" $job | nindent 2 }}
spec:
  # A restore that was interrupted has to begin with a new claim.
  backoffLimit: 0
  activeDeadlineSeconds: {{ .root.Values.backup.deadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "chartly.podLabels" $job | nindent 8 }}
    spec:
      {{- include "chartly.podHead" $job | nindent 6 }}
      containers:
        - name: restore
          image: {{ include "chartly.image" .root }}
          imagePullPolicy: IfNotPresent
          command: [/usr/bin/chartly-control]
          args:
            - --services={{ .part.name }}
            - --data=/app/data
            - --backup-dir=/app/backup
            - --restore={{ .root.Values.backup.restore }}
            {{- with .root.Values.backup.restoreTo }}
            - --restore-to={{ . }}
            {{- end }}
            {{- with .root.Values.backup.bucket }}
            {{- if .url }}
            - --backup-s3={{ .url }}
            - --backup-s3-region={{ .region }}
            {{- include "chartly.bucketFiles" $.root | nindent 12 }}
            {{- end }}
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
            - name: backup
              mountPath: /app/backup
            {{- if .root.Values.backup.bucket.url }}
            - name: bucket
              mountPath: /etc/chartly/bucket
              readOnly: true
            {{- end }}
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: data-{{ .name }}-0
        - name: tmp
          emptyDir:
            sizeLimit: 64Mi
        {{- include "chartly.backupVolume" .root | nindent 8 }}
        {{- if .root.Values.backup.bucket.url }}
        {{- include "chartly.bucketVolume" .root | nindent 8 }}
        {{- end }}
{{- end }}
{{- end -}}
