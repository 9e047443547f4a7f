{{/* An http_filters entry: .plugin is its name, .config its configuration. */}}
{{- define "gatehouse.envoyFilterEntry" -}}
name: gatehouse
typed_config:
  "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
  config:
    name: {{ .plugin }}
    failure_policy: FAIL_RELOAD
    reload_config: {backoff: {base_interval: 1s}}
    vm_config:
      vm_id: gatehouse
      runtime: envoy.wasm.runtime.v8
      code: {local: {filename: {{ .root.Values.envoy.filterPath | default "/filter/plugin.wasm" | quote }}}}
      {{- if .root.Values.admin.enabled }}
      environment_variables: {host_env_keys: [GATEHOUSE_ADMIN_TOKEN]}
      {{- end }}
    configuration:
      "@type": type.googleapis.com/google.protobuf.StringValue
      value: |
        {{- .config | nindent 8 }}
{{- end }}

{{- define "gatehouse.envoyConfig" -}}
{{- $manager := "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager" -}}
{{- $v := .Values.envoy -}}
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
static_resources:
  listeners:
  - name: gate
    address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {{ $manager }}
          stat_prefix: gate
          use_remote_address: true
          {{- if $v.xffNumTrustedHops }}
          xff_num_trusted_hops: {{ $v.xffNumTrustedHops }}
          {{- end }}
          normalize_path: false
          merge_slashes: false
          path_with_escaped_slashes_action: KEEP_UNCHANGED
          access_log:
          - name: envoy.access_loggers.stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/stdout
              log_format:
                omit_empty_values: true
                text_format_source: {inline_string: "%FILTER_STATE(wasm.gatehouse_audit:PLAIN)%\n"}
          http_filters:
          - {{ include "gatehouse.envoyFilterEntry" (dict "root" . "plugin" "gate" "config" (include "gatehouse.config" .)) | nindent 12 | trim }}
          - &router
            name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - {name: upstream, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: upstream}}]}
  - name: metrics
    address: {socket_address: {address: 0.0.0.0, port_value: 9903}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {{ $manager }}
          stat_prefix: metrics
          http_filters: [*router]
          route_config:
            virtual_hosts:
            - name: envoy
              domains: ["*"]
              routes:
              - {match: {path: /stats/prometheus}, route: {cluster: envoy_admin}}
              - {match: {path: /ready}, route: {cluster: envoy_admin}}
  {{- if .Values.admin.enabled }}
  - name: gatehouse_admin
    address: {socket_address: {address: 127.0.0.1, port_value: {{ .Values.admin.port }}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {{ $manager }}
          stat_prefix: gatehouse_admin
          use_remote_address: true
          http_filters:
          - {{ include "gatehouse.envoyFilterEntry" (dict "root" . "plugin" "admin" "config" (include "gatehouse.adminConfig" .)) | nindent 12 | trim }}
          - *router
          route_config: {}
  {{- end }}
  clusters:
  - name: upstream
    type: STRICT_DNS
    load_assignment:
      cluster_name: upstream
      endpoints:
      - lb_endpoints: [{endpoint: {address: {socket_address: {address: {{ $v.upstream.host | quote }}, port_value: {{ $v.upstream.port }}}}}}]
  {{- range .Values.clusters }}
  - name: {{ .name | quote }}
    type: LOGICAL_DNS
    load_assignment:
      cluster_name: {{ .name | quote }}
      endpoints:
      - lb_endpoints: [{endpoint: {address: {socket_address: {address: {{ .host | quote }}, port_value: {{ .port }}}}}}]
    {{- if dig "tls" true . }}
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: {{ .host | quote }}
        common_tls_context:
          validation_context:
            trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}
            match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: {{ .host | quote }}}}]
    {{- end }}
  {{- end }}
  - name: envoy_admin
    load_assignment:
      cluster_name: envoy_admin
      endpoints:
      - lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}}]
stats_config:
  {{- include "gatehouse.stats" . | nindent 2 }}
{{- end }}
