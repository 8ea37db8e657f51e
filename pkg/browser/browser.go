// Package browser opens the user's web browser.
package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	library "github.com/cli/browser"
)

// Environment is the environment of the process, as os.Environ gives it.
type Environment []string

// Reachable tells whether a browser that is opened here would be seen by the user. If not, because says why not:
// an SSH session, a container, or no display. $BROWSER always counts as reachable, as editors set it in remote sessions.
func (e Environment) Reachable() (reachable bool, because string) {
	switch {
	case e.get("BROWSER") != "":
		return true, ""
	case e.SSH():
		return false, "this is an SSH session"
	case e.container():
		return false, "this is a container"
	case runtime.GOOS == "linux" && !e.wsl() && e.get("DISPLAY") == "" && e.get("WAYLAND_DISPLAY") == "":
		return false, "there is no display"
	}
	return true, ""
}

// SSH tells whether the process runs in an SSH session.
func (e Environment) SSH() bool { return e.get("SSH_CONNECTION") != "" }

// SSHDestination is what the user gives to ssh on their own machine to come here: user@host, with the port if it is
// an unusual one. SSH_CONNECTION holds the client's address and port, then this machine's.
func (e Environment) SSHDestination() string {
	user := e.get("USER")
	if user == "" {
		user = "USER"
	}
	fields := strings.Fields(e.get("SSH_CONNECTION"))
	switch {
	case len(fields) != 4:
		return user + "@HOST"
	case fields[3] != "22":
		return fmt.Sprintf("-p %s %s@%s", fields[3], user, fields[2])
	}
	return user + "@" + fields[2]
}

// Open starts the browser with an address and does not wait for it. The command's failure, if it ever fails, comes
// through the channel; the browser goes on when the program ends, and a Ctrl+C at the terminal does not reach it.
func (e Environment) Open(address string) <-chan error {
	failed := make(chan error, 1)
	go func() {
		if err := e.open(address); err != nil {
			failed <- err
		}
	}()
	return failed
}

var errNoCommand = errors.New("no command that opens a browser was found")

func (e Environment) open(address string) error {
	commands := e.commands(address)
	if len(commands) == 0 {
		return openByLibrary(address)
	}
	failure := errNoCommand
	for _, words := range commands {
		command := exec.Command(words[0], words[1:]...)
		command.Env = e
		detach(command)
		if err := command.Start(); err != nil {
			failure = describe(words[0], err)
			continue
		}
		if err := command.Wait(); err != nil {
			return describe(words[0], err)
		}
		return nil
	}
	return failure
}

// Command names what opens a browser, and tells whether it is there.
func (e Environment) Command() (name string, found bool) {
	commands := e.commands("")
	if len(commands) == 0 {
		return "the system's own", true
	}
	var names []string
	for _, words := range commands {
		if path, err := exec.LookPath(words[0]); err == nil {
			return path, true
		}
		names = append(names, words[0])
	}
	return strings.Join(names, ", "), false
}

// describe leaves out the command's arguments.
func describe(name string, err error) error {
	return fmt.Errorf("%s failed: %w", filepath.Base(name), err)
}

// openByLibrary is for macOS and Windows, where the system hands the address to the browser.
func openByLibrary(address string) error {
	discard, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer discard.Close()
	library.Stdout, library.Stderr = discard, discard
	return library.OpenURL(address)
}

// commands are the command lines to try, none where the library knows the way.
func (e Environment) commands(address string) [][]string {
	if commands := fromVariable(e.get("BROWSER"), address); len(commands) > 0 {
		return commands
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	desktop := [][]string{{"xdg-open", address}, {"x-www-browser", address}, {"www-browser", address}}
	if !e.wsl() {
		return desktop
	}
	return append([][]string{
		{"wslview", address},
		{"rundll32.exe", "url.dll,FileProtocolHandler", address},
		{"/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler", address},
	}, desktop...)
}

var (
	// A path with blanks may stand in quotes, as in a shell.
	lines  = regexp.MustCompile(`(?:"[^"]*"|'[^']*'|[^` + regexp.QuoteMeta(string(os.PathListSeparator)) + `])+`)
	words  = regexp.MustCompile(`(?:"[^"]*"|'[^']*'|\S)+`)
	quoted = regexp.MustCompile(`"([^"]*)"|'([^']*)'`)
)

// fromVariable reads $BROWSER: command lines separated like the folders of PATH, in which %s stands for the address;
// without it the address comes last.
func fromVariable(variable, address string) [][]string {
	var commands [][]string
	for _, line := range lines.FindAllString(variable, -1) {
		command := words.FindAllString(line, -1)
		if _, err := exec.LookPath(line); err == nil {
			command = []string{line}
		}
		if len(command) == 0 {
			continue
		}
		if !strings.Contains(line, "%s") {
			command = append(command, "%s")
		}
		for i := range command {
			command[i] = strings.ReplaceAll(quoted.ReplaceAllString(command[i], "$1$2"), "%s", address)
		}
		commands = append(commands, command)
	}
	return commands
}

func (e Environment) get(name string) string {
	for i := len(e) - 1; i >= 0; i-- {
		if key, value, _ := strings.Cut(e[i], "="); key == name {
			return value
		}
	}
	return ""
}

func (e Environment) container() bool {
	return e.get("container") != "" || e.get("KUBERNETES_SERVICE_HOST") != "" || exists("/.dockerenv") || exists("/run/.containerenv")
}

func (e Environment) wsl() bool {
	if e.get("WSL_DISTRO_NAME") != "" || e.get("WSL_INTEROP") != "" {
		return true
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	return err == nil && strings.Contains(strings.ToLower(string(release)), "microsoft")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
