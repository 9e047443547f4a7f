package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	envoygateway "github.com/envoyproxy/gateway"
	"github.com/stretchr/testify/require"
	_ "istio.io/api/annotation" // for its CRDs
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// crd is one version of a custom resource, as an API server holds objects against it.
type crd struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// crds are those of Istio, Envoy Gateway and the Gateway API, by "apiVersion kind".
var crds = sync.OnceValues(func() (map[string]*crd, error) {
	istio, err := moduleDir("istio.io/api")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(istio, "kubernetes", "customresourcedefinitions.gen.yaml"))
	if err != nil {
		return nil, err
	}
	out := map[string]*crd{}
	for _, doc := range append(documents(string(text)), documents(string(envoygateway.GatewayCRDs))...) {
		if err := addCRD(out, []byte(doc)); err != nil {
			return nil, err
		}
	}
	return out, nil
})

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if dir := strings.TrimSpace(string(out)); err == nil && dir != "" {
		return dir, nil
	}
	return "", errors.Join(err, errors.New("the module "+module+" isn't there: go -C deploy/check mod download"))
}

// documents splits a file of YAML documents.
func documents(text string) (out []string) {
	for _, doc := range strings.Split("\n"+text, "\n---") {
		for _, line := range strings.Split(doc, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				out = append(out, doc)
				break
			}
		}
	}
	return out
}

func addCRD(out map[string]*crd, doc []byte) error {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(doc, &definition); err != nil || definition.Kind != "CustomResourceDefinition" {
		return err
	}
	for _, v := range definition.Spec.Versions {
		var props apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v.Schema.OpenAPIV3Schema, &props, nil); err != nil {
			return err
		}
		structural, err := schema.NewStructural(&props)
		if err != nil {
			return err
		}
		validator, _, err := validation.NewSchemaValidator(&props)
		if err != nil {
			return err
		}
		out[definition.Spec.Group+"/"+v.Name+" "+definition.Spec.Names.Kind] = &crd{structural, validator,
			cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	}
	return nil
}

// check says what an API server would say of an object.
func (c *crd) check(object map[string]any) (problems []string) {
	object = runtime.DeepCopyJSON(object)
	for _, path := range pruning.PruneWithOptions(object, c.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		problems = append(problems, "unknown field "+path)
	}
	defaulting.Default(object, c.structural)
	errs := validation.ValidateCustomResource(nil, object, c.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, c.structural, object)...)
	broken, _ := c.rules.Validate(context.Background(), nil, c.structural, object, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range append(errs, broken...) {
		problems = append(problems, err.Error())
	}
	return problems
}

// checkObject says what an API server with all these CRDs would say of a YAML document.
func checkObject(t *testing.T, doc string) []string {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict([]byte(doc))
	require.NoError(t, err, "%s", doc)
	var object map[string]any
	require.NoError(t, json.Unmarshal(text, &object)) // integers stay integers
	known, err := crds()
	require.NoError(t, err)
	if c := known[kindOf(object)]; c != nil {
		return c.check(object)
	}
	if _, _, err := strict.Decode([]byte(doc), nil, nil); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// strict decodes Kubernetes' own kinds, and refuses fields that they don't have.
var strict = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

func kindOf(object map[string]any) string {
	return fmt.Sprint(object["apiVersion"], " ", object["kind"])
}

func nameOf(object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	return fmt.Sprint(meta["name"])
}
