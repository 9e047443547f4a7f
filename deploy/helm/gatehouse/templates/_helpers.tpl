{{- define "gatehouse.name" -}}
{{- if contains "gatehouse" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-gatehouse{{ end }}
{{- end }}

{{- define "gatehouse.selector" -}}
app.kubernetes.io/name: gatehouse
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gatehouse.labels" -}}
{{ include "gatehouse.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "gatehouse.meta" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "gatehouse.labels" .root | nindent 2 }}
{{- end }}

{{- define "gatehouse.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "gatehouse.filterImage" -}}
{{ .Values.image.repository }}:{{ include "gatehouse.tag" . }}
{{- end }}

{{- define "gatehouse.cliImage" -}}
{{ .Values.image.repository }}-cli:{{ include "gatehouse.tag" . }}
{{- end }}

{{/* The name that a cluster of .Values.clusters has in this mode; others stay as they are. */}}
{{- define "gatehouse.cluster" -}}
{{- $name := .name }}
{{- range .root.Values.clusters }}
  {{- if eq .name $.name }}
    {{- if eq $.root.Values.mode "istio" }}
      {{- $name = printf "outbound|%d||%s" (int .port) .host }}
    {{- else if eq $.root.Values.mode "envoy-gateway" }}
      {{- $name = printf "httproute/%s/%s-%s/rule/0" $.root.Release.Namespace (include "gatehouse.name" $.root) .name }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $name }}
{{- end }}

{{/* The configuration as JSON, with this mode's clusters and defaults. */}}
{{- define "gatehouse.config" -}}
{{- $config := deepCopy .Values.config }}
{{- range (dig "tokens" "providers" list $config) }}
  {{- if and .jwks .jwks.cluster }}
    {{- $_ := set .jwks "cluster" (include "gatehouse.cluster" (dict "root" $ "name" .jwks.cluster)) }}
  {{- end }}
{{- end }}
{{- $audit := get $config "audit" | default dict }}
{{- if and $audit.http $audit.http.cluster }}
  {{- $_ := set $audit.http "cluster" (include "gatehouse.cluster" (dict "root" $ "name" $audit.http.cluster)) }}
{{- end }}
{{- if not (hasKey $audit "log") }}
  {{- $_ := set $audit "log" (ternary "warn" "none" (eq .Values.mode "istio")) }}
{{- end }}
{{- $_ := set $config "audit" $audit }}
{{- $metrics := get $config "metrics" | default dict }}
{{- if and (eq .Values.mode "istio") (not (hasKey $metrics "naming")) }}
  {{- $_ := set $metrics "naming" "istio" }}
{{- end }}
{{- if $metrics }}
  {{- $_ := set $config "metrics" $metrics }}
{{- end }}
{{- toPrettyJson $config }}
{{- end }}

{{/* The same, for the instance that is the admin API. */}}
{{- define "gatehouse.adminConfig" -}}
{{- $config := include "gatehouse.config" . | fromJson }}
{{- $_ := set $config "admin" (dict "token" (dict "env" "GATEHOUSE_ADMIN_TOKEN")) }}
{{- toPrettyJson $config }}
{{- end }}

{{/* Whether a proxy's own filter verifies tokens. */}}
{{- define "gatehouse.claimsFrom" -}}
{{- range (dig "tokens" "providers" list .Values.config) }}{{ if .claims_from }}true{{ end }}{{ end }}
{{- end }}

{{- define "gatehouse.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Turns parts of the filter's metric names into Prometheus labels. */}}
{{- define "gatehouse.stats" -}}
stats_tags:
- {tag_name: reason, regex: '^wasmcustom\.gatehouse_tokens_failed_total(\.reason\.([a-z0-9_]+))\.provider\.[a-z0-9_]+$'}
- {tag_name: route, regex: '^wasmcustom\.gatehouse_requests_total(\.route\.([a-z0-9_]+))\.decision\.[a-z0-9_]+$'}
- {tag_name: rule, regex: '^wasmcustom\.gatehouse_rate_limit_(?:decisions|evictions)_total(\.rule\.([a-z0-9_]+))(?:\.decision\.[a-z0-9_]+)?$'}
- {tag_name: decision, regex: '^wasmcustom\.gatehouse_(?:requests_total\.route|rate_limit_decisions_total\.rule)\.[a-z0-9_]+(\.decision\.([a-z0-9_]+))$'}
- {tag_name: caller, regex: '^wasmcustom\.gatehouse_callers_total(\.caller\.([a-z0-9_]+))$'}
- {tag_name: provider, regex: '^wasmcustom\.gatehouse_(?:tokens_failed_total\.reason\.[a-z0-9_]+|jwks_fetches_total|jwks_age_seconds)(\.provider\.([a-z0-9_]+))(?:\.result\.[a-z0-9_]+)?$'}
- {tag_name: result, regex: '^wasmcustom\.gatehouse_(?:token_cache_total|jwks_fetches_total\.provider\.[a-z0-9_]+)(\.result\.([a-z0-9_]+))$'}
- {tag_name: version, regex: '^wasmcustom\.gatehouse_build_info(\.version\.([a-z0-9_]+))$'}
- {tag_name: event_type, regex: '^wasmcustom\.gatehouse_audit_events_total(\.event_type\.([a-z0-9_]+))$'}
histogram_bucket_settings:
- match: {exact: wasmcustom.gatehouse_validation_duration_us}
  buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000]
{{- end }}
