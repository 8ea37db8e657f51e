package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// script writes an executable shell script in a folder whose name has a space.
func script(t *testing.T, body string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "a browser")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "browser")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func waitFor(t *testing.T, path string) string {
	t.Helper()
	for range 500 {
		if content, err := os.ReadFile(path); err == nil {
			return string(content)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %s", path)
	return ""
}

func TestOpenDetaches(t *testing.T) {
	result := filepath.Join(t.TempDir(), "result")
	browser := script(t, `{ echo "$1"; ps -o sid= -p $$; env; } >"$RESULT.new"; mv "$RESULT.new" "$RESULT"`)
	e := Environment{"PATH=" + os.Getenv("PATH"), "RESULT=" + result, "KEPT=yes", "BROWSER=" + browser}
	failed := e.Open(address)
	lines := strings.Split(waitFor(t, result), "\n")
	if lines[0] != address {
		t.Errorf("address %q", lines[0])
	}
	own, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(lines[1]) == fmt.Sprint(own) {
		t.Error("it shares our session")
	}
	if !slices.Contains(lines, "KEPT=yes") {
		t.Errorf("environment: %q", lines[2:])
	}
	select {
	case err := <-failed:
		t.Error(err)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestOpenTriesTheNextBrowser(t *testing.T) {
	result := filepath.Join(t.TempDir(), "result")
	browser := script(t, `echo "$1" >"$RESULT.new"; mv "$RESULT.new" "$RESULT"`)
	Environment{"PATH=" + os.Getenv("PATH"), "RESULT=" + result, "BROWSER=no-such-browser:" + browser}.Open(address)
	if got := waitFor(t, result); got != address+"\n" {
		t.Error(got)
	}
}

func TestOpenReportsFailureWithoutTheAddress(t *testing.T) {
	for name, browser := range map[string]string{"fails": script(t, "echo printed; exit 3"), "missing": "no-such-browser"} {
		select {
		case err := <-Environment{"BROWSER=" + browser}.Open(address):
			if strings.Contains(err.Error(), "oauth") || !strings.Contains(err.Error(), "browser") {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s: nothing reported", name)
		}
	}
}

func TestOpenDoesNotWait(t *testing.T) {
	began := time.Now()
	failed := Environment{"PATH=" + os.Getenv("PATH"), "BROWSER=" + script(t, "yes | head -c 1000000; exec sleep 2")}.Open(address)
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("took %s", took)
	}
	if len(failed) > 0 {
		t.Error(<-failed)
	}
}
