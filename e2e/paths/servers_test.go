package paths_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gatehouse/cmd/testbed/child"
	"gatehouse/cmd/testbed/libraries"
	"gatehouse/e2e/envoytest"
)

// secret is what the protected resource says.
const secret = "this-is-the-protected-resource"

// server is a real server that has the protected resource, at /admin/secret.
type server struct {
	name        string
	ignoresCase bool // in its routes: it needs "path_case": "ignore"
	// start starts the server at a free port, and returns its address. It skips the test if the
	// server isn't installed.
	start func(t *testing.T) (address string)
}

var servers = []server{
	{"nginx", false, startNginx},
	{"lighttpd", false, startLighttpd},
	{"Tomcat", false, startTomcat},
	{"Express", true, startExpress},
	{"Werkzeug", false, startWerkzeug},
	{"Django", false, startDjango},
	{"PHP", false, startPHP},
	{"PHP with a front controller", false, startFrontController},
	{"net/http", false, startGo},
}

// TestTheLibrariesAreInstalled lets a machine fetch them before the tests that need them run.
func TestTheLibrariesAreInstalled(t *testing.T) {
	require.DirExists(t, libraries.Python(t, here(t, "apps/requirements.txt")))
	require.DirExists(t, libraries.Node(t, here(t, "apps/package.json")))
}

func startNginx(t *testing.T) string {
	port, dir := envoytest.FreePort(t), t.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the files are root's
	}
	config := fmt.Sprintf(`%s daemon off; master_process off; pid %[2]s/pid; error_log %[2]s/log;
events {}
http {
  access_log off;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi; uwsgi_temp_path %[2]s/uwsgi; scgi_temp_path %[2]s/scgi;
  server { listen 127.0.0.1:%[3]d; root %[4]s; }
}`, user, dir, port, files(t))
	return run(t, port, program(t, "nginx"), "-c", write(t, "nginx.conf", config), "-e", filepath.Join(dir, "log"))
}

func startLighttpd(t *testing.T) string {
	port := envoytest.FreePort(t)
	config := fmt.Sprintf("server.bind = \"127.0.0.1\"\nserver.port = %d\nserver.document-root = %q\n", port, files(t))
	return run(t, port, program(t, "lighttpd"), "-D", "-f", write(t, "lighttpd.conf", config))
}

// embedded is Tomcat in one archive, of Debian's package libtomcat10-embed-java.
const embedded = "/usr/share/java/tomcat10-embed-core.jar"

func startTomcat(t *testing.T) string {
	java := program(t, "java")
	if _, err := os.Stat(embedded); err != nil {
		libraries.Unavailable(t, "Tomcat", err, []byte("install Debian's package libtomcat10-embed-java"))
	}
	port, folder, base := envoytest.FreePort(t), files(t), t.TempDir()
	put(t, base, "conf/server.xml", fmt.Sprintf(`<Server port="-1"><Service name="Catalina">
<Connector port="%d" address="127.0.0.1" protocol="HTTP/1.1"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="apps" autoDeploy="false"/></Engine>
</Service></Server>`, port))
	put(t, folder, "WEB-INF/web.xml", `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
<servlet><servlet-name>files</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>files</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
</web-app>`)
	return run(t, port, java, "-Dcatalina.base="+base, "-Dcatalina.home="+base, "-cp", embedded,
		"org.apache.catalina.startup.Tomcat", "--no-jmx", "--war", folder, "--await")
}

func startExpress(t *testing.T) string {
	node := program(t, "node")
	dir := libraries.Node(t, here(t, "apps/package.json"))
	text, err := os.ReadFile(here(t, "apps/express.mjs"))
	require.NoError(t, err)
	script := put(t, dir, "express.mjs", string(text)) // Node looks for packages above the script
	port := envoytest.FreePort(t)
	return run(t, port, node, script, fmt.Sprint(port), files(t), secret)
}

func startWerkzeug(t *testing.T) string { return startPython(t, "werkzeug_app.py") }
func startDjango(t *testing.T) string   { return startPython(t, "django_app.py") }

func startPython(t *testing.T, app string) string {
	python := filepath.Join(libraries.Python(t, here(t, "apps/requirements.txt")), "bin", "python3")
	port := envoytest.FreePort(t)
	return run(t, port, python, here(t, filepath.Join("apps", app)), fmt.Sprint(port), secret)
}

func startPHP(t *testing.T) string {
	port := envoytest.FreePort(t)
	return run(t, port, program(t, "php"), "-S", fmt.Sprintf("127.0.0.1:%d", port), "-t", files(t))
}

func startFrontController(t *testing.T) string {
	port := envoytest.FreePort(t)
	return run(t, port, program(t, "php"), "-S", fmt.Sprintf("127.0.0.1:%d", port), here(t, "apps/front.php"))
}

func startGo(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/admin/secret", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(secret)) })
	mux.Handle("/", http.FileServer(http.Dir(files(t))))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// files is a folder of static files, the protected one among them.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "admin/secret", secret)
	put(t, dir, "public/x", "nothing here")
	put(t, dir, "index.php", `<?php echo "nothing here";`)
	return dir
}

func put(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func write(t *testing.T, name, text string) (path string) { return put(t, t.TempDir(), name, text) }

// program finds a program on the path, or where Debian puts servers.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			libraries.Unavailable(t, name, err, []byte("install it: .ci/run names the package"))
		}
	}
	return path
}

// run starts a server for the test, and waits until it listens.
func run(t *testing.T, port int, name string, args ...string) (address string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "SECRET="+secret)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	ended := make(chan struct{})
	require.NoError(t, child.Start(cmd, syscall.SIGKILL, func() { close(ended) }))
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole group: some servers have workers
		<-ended
	})
	address = fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(time.Minute); ; {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			_ = connection.Close()
			return address
		}
		select {
		case <-ended:
			assert.Fail(t, "the server ended", "%s: %s", name, out.String())
			t.FailNow()
		case <-time.After(50 * time.Millisecond):
		}
		require.True(t, time.Now().Before(deadline), "%s doesn't listen", name)
	}
}

func here(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	require.NoError(t, err)
	return absolute
}
