package envoy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dockerTimeout bounds each question to the Docker engine, which may hang where it is installed but
// not running.
const dockerTimeout = 10 * time.Second

// docker returns the newest fitting envoyproxy/envoy image that a Docker engine holds. It pulls
// none: that is for the user to decide.
func (f Finder) docker(ctx context.Context) (Binary, bool) {
	client, err := exec.LookPath("docker")
	if err != nil {
		return Binary{}, false
	}
	out, err := output(ctx, client, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "envoyproxy/envoy")
	if err != nil {
		return Binary{}, false // no engine behind the client
	}
	var best Binary
	for image := range strings.FieldsSeq(out) {
		// Distroless images run as a user of their own, who can neither read nor write in our
		// directories.
		if strings.HasSuffix(image, ":<none>") || strings.Contains(image, ":distroless") {
			continue
		}
		answer, err := output(ctx, client, "run", "--rm", image, "--version")
		if err != nil {
			f.Logf("passing over the Docker image %s: %v", image, err)
			continue
		}
		version, err := parseVersion(answer)
		if err == nil {
			err = f.accept(version)
		}
		if err != nil {
			f.Logf("passing over the Docker image %s: %v", image, err)
			continue
		}
		if best.Image == "" || newer(version, best.Version) {
			best = Binary{Docker: client, Image: image, Version: version, Source: "Docker image " + image}
		}
	}
	return best, best.Image != ""
}

// output returns what a command prints to stdout.
func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	return string(out), err
}

// newer reports whether version a is later than b; both are three numbers.
func newer(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) > 0 }

func numbers(version string) []int {
	var ns []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part) // parseVersion admits digits only
		ns = append(ns, n)
	}
	return ns
}

// dockerRun returns the arguments that run Envoy in a container as if it were a process of this
// machine: its network, its user and the named directories at their own paths. The client stays in
// the foreground and passes signals on.
func dockerRun(name, image string, env, dirs, args []string) []string {
	// The image's entry point changes to this user after giving it /dev/stdout, which --user would
	// not.
	run := []string{"run", "--rm", "--name", name, "--network", "host",
		"--env", fmt.Sprintf("ENVOY_UID=%d", os.Getuid()), "--env", fmt.Sprintf("ENVOY_GID=%d", os.Getgid())}
	for _, e := range env {
		run = append(run, "--env", e)
	}
	for _, dir := range dirs {
		run = append(run, "--volume", dir+":"+dir)
	}
	return append(append(run, image), args...)
}

// dockerPID returns the process id, as seen by this machine, of a container's Envoy.
func dockerPID(ctx context.Context, client, name string) (int, error) {
	out, err := output(ctx, client, "inspect", "--format", "{{.State.Pid}}", name)
	if err != nil {
		return 0, fmt.Errorf("docker inspect %s: %w", name, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("docker inspect %s: no process", name)
	}
	return pid, nil
}

// mounts adds to dirs the directories of the local files that a configuration names: Wasm modules,
// secrets and access logs.
func mounts(node any, dirs []string) []string {
	add := func(value any) {
		path, _ := value.(string)
		dir := filepath.Dir(path)
		if filepath.IsAbs(path) && dir != "/dev" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	switch node := node.(type) {
	case map[string]any:
		add(node["filename"])
		if typ, _ := node["@type"].(string); strings.HasSuffix(typ, ".FileAccessLog") {
			add(node["path"])
		}
		for _, value := range node {
			dirs = mounts(value, dirs)
		}
	case []any:
		for _, value := range node {
			dirs = mounts(value, dirs)
		}
	}
	return dirs
}
