package keyring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"ninjaone-auth/tests/need"
)

// The child survives what is done to its console. Ctrl+C is what can be sent under Wine; Go takes Ctrl+Break for the same, and
// closing the console for SIGTERM.
func TestIgnoresSignals(t *testing.T) {
	if os.Getenv("SIGNALLED") != "" {
		ignoreSignals()
		fmt.Println("ready")
		time.Sleep(2 * time.Second)
		fmt.Println("survived")
		return
	}
	sender := need.Command(t, "ctrlc.exe", "a program that sends Ctrl+C to the console of the process whose id it is given")
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(own, "-test.run=^TestIgnoresSignals$")
	child.Env = append(os.Environ(), "SIGNALLED=1")
	child.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(sender, strconv.Itoa(child.Process.Pid)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if output, _ := io.ReadAll(stdout); !strings.Contains(string(output), "survived") {
		t.Errorf("it did not survive: %v", child.Wait())
	}
}

// A passphrase file is for this user, and for those from whom nothing can be kept. Whoever runs the test lays two files beside it,
// as Wine takes a file's access list from its mode.
func TestAccessListOfThePassphraseFile(t *testing.T) {
	text, err := ReadPrivate("private")
	if errors.Is(err, os.ErrNotExist) {
		need.Missing(t, "files to read", "see TestCredentialManager")
	}
	if string(text) != "correct horse" || err != nil {
		t.Errorf("private: %q, %v", text, err)
	}
	if Choices() != "wincred or file" {
		t.Error(Choices())
	}
	if text, err = ReadPrivate("shared"); err == nil || !strings.Contains(err.Error(), "can read it: icacls 'shared'") {
		t.Errorf("shared: %q, %v", text, err)
	}
}
