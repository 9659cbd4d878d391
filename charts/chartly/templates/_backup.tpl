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
      volumes:
        - name: data
          persistentVolumeClaim:
            claimName: data-{{ .name }}-0
        - name: tmp
          emptyDir:
            sizeLimit: 64Mi
        {{- include "chartly.backupVolume" .root | nindent 8 }}
{{- end }}
{{- end -}}
