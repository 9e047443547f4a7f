package manifest

import (
	"strconv"
	"strings"
)

// surroundings is what a configuration of Envoy has around its plugins.
type surroundings struct {
	doc *value
	// clusters are those of the file. complete says that Envoy has no others.
	clusters map[string]*value
	complete bool
	// bootstrap has stats_config; nil in a file without one.
	bootstrap *value
	// routes are route configurations that stand outside of a connection manager (RDS).
	routes []*value
}

func surroundingsOf(doc *value) *surroundings {
	s := &surroundings{doc: doc, clusters: map[string]*value{}}
	dumped := false
	doc.walk(func(v *value) {
		name, _ := message(v)
		switch {
		case strings.HasSuffix(name, ".ClustersConfigDump"):
			dumped = true
		case strings.HasSuffix(name, ".RouteConfiguration"):
			s.routes = append(s.routes, v)
		}
		if v.field("static_resources") != nil || v.field("dynamic_resources") != nil {
			s.bootstrap = v
		}
		if v.get("name") != nil && (v.field("load_assignment") != nil || v.field("connect_timeout") != nil ||
			v.field("cluster_type") != nil || v.field("eds_cluster_config") != nil || v.field("lb_policy") != nil ||
			strings.HasSuffix(name, ".Cluster")) {
			s.clusters[v.get("name").text()] = v
		}
	})
	for _, c := range s.bootstrap.field("static_resources", "clusters").elements() {
		s.clusters[c.get("name").text()] = c
	}
	dynamic := s.bootstrap.field("dynamic_resources", "cds_config") != nil || s.bootstrap.field("dynamic_resources", "ads_config") != nil ||
		len(s.bootstrap.field("xds_delegate").fields()) > 0
	s.complete = dumped || s.bootstrap != nil && !dynamic
	return s
}

// routing calls f for all that routes requests of a connection manager: its own route
// configuration, or all of the file's.
func (s *surroundings) routing(manager *value, f func(*value)) {
	if own := manager.field("route_config"); own != nil {
		own.walk(f)
		return
	}
	for _, r := range s.routes {
		r.walk(f)
	}
}

// check looks at what a plugin needs of the rest of Envoy's configuration.
func (s *surroundings) check(p *Plugin) {
	if s.bootstrap != nil && p.tree != nil {
		s.checkStats(p)
	}
	for i, provider := range p.tree.get("tokens").get("providers").elements() {
		if jwks := provider.get("jwks"); jwks.get("cluster") != nil {
			uri := jwks.get("uri")
			if uri == nil {
				uri = jwks.get("discovery")
			}
			s.checkCluster(p, "tokens.providers["+strconv.Itoa(i)+"]"+".jwks.cluster", jwks.get("cluster"), uri)
		}
	}
	if cluster := p.tree.get("audit").get("http").get("cluster"); cluster != nil {
		s.checkCluster(p, "audit.http.cluster", cluster, nil)
	}
}

// checkCluster looks for the cluster of the plugin's own requests; uri, if any, is what it asks
// for.
func (s *surroundings) checkCluster(p *Plugin, path string, at, uri *value) {
	cluster := s.clusters[at.text()]
	if cluster == nil {
		if s.complete {
			p.warn(at, path, "there is no cluster "+at.text()+" in this file")
		}
		return
	}
	tls := tlsContext(cluster)
	switch secure := strings.HasPrefix(strings.ToLower(uri.text()), "https:"); {
	case secure && tls == nil:
		p.warn(at, path, "the URI is https, but the cluster "+at.text()+" has no TLS (transport_socket): who sits between can forge keys")
	case tls != nil && !validates(tls):
		p.warn(at, path, "the cluster "+at.text()+" checks no certificate (validation_context.trusted_ca): who sits between can forge keys")
	}
}

// tlsContext is a cluster's TLS, of its own or of a transport socket match; nil for none.
func tlsContext(cluster *value) (context *value) {
	cluster.walk(func(v *value) {
		if name, body := message(v); strings.HasSuffix(name, ".UpstreamTlsContext") {
			context = body
		}
	})
	return context
}

// validates reports whether a TLS context checks the server's certificate.
func validates(tls *value) bool {
	common := tls.field("common_tls_context")
	for _, name := range []string{"validation_context", "validation_context_sds_secret_config", "combined_validation_context",
		"validation_context_certificate_provider", "validation_context_certificate_provider_instance", "custom_validator_config"} {
		if v := common.field(name); v != nil {
			if name != "validation_context" || len(v.fields()) > 0 {
				return true
			}
		}
	}
	return false
}

// checkStats looks for what turns parts of metrics' names into labels.
func (s *surroundings) checkStats(p *Plugin) {
	istio := p.tree.get("metrics").get("naming").text() == "istio"
	found := false
	for _, tag := range s.bootstrap.field("stats_config", "stats_tags").elements() {
		regex := tag.get("regex").text()
		found = found || strings.Contains(regex, "gatehouse_") || istio && strings.Contains(regex, `=\.=`)
	}
	if !found {
		p.warn(s.bootstrap, "stats_config.stats_tags", "none for Gatehouse: its metrics have no labels, but names like "+
			"gatehouse_requests_total_route_x_decision_y; docs/reference.md has them")
	}
}
