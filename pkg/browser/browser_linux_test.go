package browser

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ninjaone-auth/tests/need"
)

const address = "https://eu.ninjarmm.com/ws/oauth/authorize?a=1&b=%20"

func TestReachable(t *testing.T) {
	for name, c := range map[string]struct {
		environment Environment
		reachable   bool
		because     string
	}{
		"ssh":                      {Environment{"DISPLAY=:0", "SSH_CONNECTION=192.0.2.1 5 192.0.2.2 22"}, false, "SSH"},
		"container":                {Environment{"DISPLAY=:0", "container=podman"}, false, "container"},
		"kubernetes":               {Environment{"DISPLAY=:0", "KUBERNETES_SERVICE_HOST=10.0.0.1"}, false, "container"},
		"BROWSER":                  {Environment{"BROWSER=lynx"}, true, ""},
		"BROWSER in an SSH editor": {Environment{"BROWSER=code", "SSH_CONNECTION=192.0.2.1 5 192.0.2.2 22"}, true, ""},
		"empty BROWSER":            {Environment{"BROWSER=", "SSH_CONNECTION=192.0.2.1 5 192.0.2.2 22"}, false, "SSH"},
	} {
		t.Run(name, func(t *testing.T) {
			reachable, because := c.environment.Reachable()
			if reachable != c.reachable || !strings.Contains(because, c.because) {
				t.Errorf("%v, because %s", reachable, because)
			}
		})
	}
	t.Run("no display", func(t *testing.T) {
		bare := Environment{}
		reachable, because := bare.Reachable()
		if reachable != (bare.wsl() && !bare.container()) {
			t.Errorf("%v, because %s", reachable, because)
		}
		reachable, _ = Environment{"WAYLAND_DISPLAY=wayland-0"}.Reachable()
		if reachable == bare.container() {
			t.Errorf("with a display: %v", reachable)
		}
	})
}

func TestSSHDestination(t *testing.T) {
	for connection, destination := range map[string]string{
		"198.51.100.7 50100 192.0.2.2 22":   "tech@192.0.2.2",
		"198.51.100.7 50100 192.0.2.2 2222": "-p 2222 tech@192.0.2.2",
		"odd":                               "tech@HOST",
	} {
		if got := (Environment{"USER=tech", "SSH_CONNECTION=" + connection}).SSHDestination(); got != destination {
			t.Errorf("%q: %q", connection, got)
		}
	}
	if got := (Environment{"SSH_CONNECTION=1 2 3 22"}).SSHDestination(); got != "USER@3" {
		t.Error(got)
	}
}

func TestCommands(t *testing.T) {
	first := func(e Environment) string { return strings.Join(e.commands(address)[0], " ") }
	for want, e := range map[string]Environment{
		"wslview " + address:             {"WSL_DISTRO_NAME=Debian", "DISPLAY=:0"},
		"firefox " + address:             {"BROWSER=firefox"},
		"firefox -P work " + address:     {"BROWSER=firefox -P work"},
		"firefox " + address + " --new":  {"BROWSER=firefox %s --new:chromium"},
		"lynx " + address:                {"BROWSER=:lynx", "WSL_DISTRO_NAME=Debian"},
		"/opt/a b: c/x -a b " + address:  {`BROWSER="/opt/a b: c/x" -a 'b' "%s":lynx`},
		"firefox it's " + address:        {`BROWSER=firefox it's`},
		"rundll32.exe x " + address + "": {"BROWSER=rundll32.exe x"},
	} {
		if got := first(e); got != want {
			t.Errorf("%v: %q instead of %q", e, got, want)
		}
	}
	if !(Environment{}).wsl() {
		if got := first(Environment{"DISPLAY=:0"}); got != "xdg-open "+address {
			t.Error(got)
		}
	}
	windows := Environment{"WSL_INTEROP=/run/WSL/1_interop"}.commands(address)
	if !slices.Equal(windows[1], []string{"rundll32.exe", "url.dll,FileProtocolHandler", address}) {
		t.Errorf("%q", windows)
	}
}

// waitFor returns what a file holds as soon as it is there.
func waitFor(t *testing.T, path string) string {
	t.Helper()
	for range 3000 {
		if content, err := os.ReadFile(path); err == nil {
			return string(content)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %s", path)
	return ""
}

func TestOpenDetaches(t *testing.T) {
	browser := need.Play(t, "browser", "write opened $1", "await end")
	failed := Environment{"KEPT=yes", "BROWSER=" + browser}.Open(address)
	if got := waitFor(t, filepath.Join(filepath.Dir(browser), "opened")); got != address {
		t.Errorf("address %q", got)
	}
	own, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(waitFor(t, browser+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	if its, err := unix.Getsid(pid); err != nil || its == own {
		t.Errorf("its session is %d, %v; ours is %d", its, err, own)
	}
	if got := waitFor(t, browser+".environment"); got != "KEPT=yes\nBROWSER="+browser+"\n" {
		t.Errorf("environment: %q", got)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(browser), "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		t.Error(err)
	case <-time.After(50 * time.Millisecond):
	}
}

// A browser in a folder with blanks, in quotes and with an argument.
func TestOpenAQuotedPath(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "My Browsers")
	if err := os.Rename(filepath.Dir(need.Play(t, "browser")), folder); err != nil {
		t.Fatal(err)
	}
	browser := filepath.Join(folder, "browser")
	Environment{`BROWSER="` + browser + `" --new %s`}.Open(address)
	if got := waitFor(t, browser+".arguments"); got != "--new\n"+address+"\n" {
		t.Error(got)
	}
}

func TestOpenTriesTheNextBrowser(t *testing.T) {
	browser := need.Play(t, "browser")
	Environment{"BROWSER=no-such-browser:" + browser}.Open(address)
	need.Started(t, browser)
	if got := waitFor(t, browser+".arguments"); got != address+"\n" {
		t.Error(got)
	}
}

func TestOpenReportsFailureWithoutTheAddress(t *testing.T) {
	for name, browser := range map[string]string{"fails": need.Play(t, "browser", "print printed", "exit 3"), "missing": "no-such-browser"} {
		select {
		case err := <-Environment{"BROWSER=" + browser}.Open(address):
			if strings.Contains(err.Error(), "oauth") || !strings.Contains(err.Error(), "browser") {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: nothing reported", name)
		}
	}
}

// A browser that says much, and one that stays, hold nobody up.
func TestOpenDoesNotWait(t *testing.T) {
	browser := need.Play(t, "browser", "flood 20000 a line of fifty characters, more than any pipe takes", "write flooded", "await end")
	failed := Environment{"BROWSER=" + browser}.Open(address) // which returns though the browser would stay for ever
	waitFor(t, filepath.Join(filepath.Dir(browser), "flooded"))
	if len(failed) > 0 {
		t.Error(<-failed)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(browser), "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
