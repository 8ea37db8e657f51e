package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the command, and the command's child.
func TestMain(m *testing.M) {
	switch os.Getenv("STANDIN_TEST") {
	case "command":
		main()
	case "":
		os.Exit(m.Run())
	}
}

func command(arguments ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], arguments...)
	c.Env = append(os.Environ(), "STANDIN_TEST=command")
	return c
}

func TestServesUntilStdinCloses(t *testing.T) {
	c := command("--demo")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	defer kill.Stop()
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Proxy, CertFile, Control string }
	if err := json.Unmarshal(line, &told); err != nil || told.Proxy == "" {
		t.Fatalf("it printed %s, %v", line, err)
	}
	if _, err := os.Stat(told.CertFile); err != nil {
		t.Error(err)
	}
	response, err := http.Get(told.Control + "/secrets")
	if err != nil {
		t.Fatal(err)
	}
	secrets, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if !strings.Contains(string(secrets), "00Z00zzZzzzZzZzZzZzZZZ0zZ0zzZ_0zzz0zZZzzZz0Z0ZZZzz0z0Z") {
		t.Errorf("the demo's application is not registered: %s", secrets)
	}
	_ = stdin.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(told.CertFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder is left: %v", err)
	}
}

func TestRunsACommand(t *testing.T) {
	output, err := command("--", "sh", "-c", `echo "$HTTPS_PROXY $SSL_CERT_FILE"; exit 7`).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("it ended with %v", err)
	}
	if fields := strings.Fields(string(output)); len(fields) != 2 || !strings.HasPrefix(fields[0], "http://127.0.0.1:") {
		t.Errorf("the command's environment is %q", output)
	}
	if err := command("--", "no-such-command").Run(); err == nil {
		t.Error("a command that is not there was run")
	}
}
