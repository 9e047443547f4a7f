package sbom_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/core/version"
	"gatehouse/deploy/release/internal/linked"
	"gatehouse/deploy/release/internal/sbom"
)

func TestTheBillOfMaterialsNamesEachModuleWithItsLicence(t *testing.T) {
	for _, p := range linked.Programs {
		t.Run(p.Name, func(t *testing.T) {
			modules, err := linked.Modules(t.Context(), "../../../..", p)
			require.NoError(t, err)
			subject := sbom.Subject{Program: p, Modules: modules, Files: map[string][]byte{"f": []byte("program")}, Time: time.Unix(1_800_000_000, 0)}
			bill, err := sbom.Write(subject)
			require.NoError(t, err)
			require.NoError(t, sbom.Validate(t.Context(), bill))
			again, err := sbom.Write(subject)
			require.NoError(t, err)
			assert.Equal(t, string(bill), string(again))

			var got cyclonedx.BOM
			require.NoError(t, cyclonedx.NewBOMDecoder(bytes.NewReader(bill), cyclonedx.BOMFileFormatJSON).Decode(&got))
			assert.Equal(t, p.Name, got.Metadata.Component.Name)
			assert.Equal(t, version.Version, got.Metadata.Component.Version)
			assert.Equal(t, "2027-01-15T08:00:00Z", got.Metadata.Timestamp)
			assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte("program"))), (*got.Metadata.Component.Hashes)[0].Value)
			require.Len(t, *got.Components, len(modules)-1, "all but Gatehouse itself")
			names := map[string]bool{p.Name: true}
			for _, c := range *got.Components {
				url, err := packageurl.FromString(c.PackageURL)
				require.NoError(t, err, c.PackageURL)
				assert.Equal(t, c.Version, url.Version)
				assert.NotEmpty(t, (*c.Licenses)[0].License.ID, c.Name)
				names[c.BOMRef] = true
			}
			assert.True(t, names["pkg:golang/std@"+toolchain(modules)])
			require.Len(t, *got.Dependencies, len(modules))
			for _, d := range *got.Dependencies {
				assert.True(t, names[d.Ref], d.Ref)
				if d.Dependencies != nil {
					for _, to := range *d.Dependencies {
						assert.True(t, names[to], to)
					}
				}
			}
		})
	}
}

func toolchain(modules []linked.Module) string {
	for _, m := range modules {
		if m.Path == linked.Standard {
			return m.Version
		}
	}
	return ""
}

func TestWhatIsNoCycloneDXIsRefused(t *testing.T) {
	for _, bill := range []string{`{}`, `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library"}]}`, `[`} {
		require.Error(t, sbom.Validate(t.Context(), []byte(bill)), bill)
	}
}
