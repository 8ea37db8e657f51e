package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
)

// inShell runs a shell's script on a machine where the program is on PATH, and returns the lines that it printed, sorted.
func inShell(t *testing.T, m *machine, script string, shell string, flags ...string) []string {
	t.Helper()
	command := exec.Command(need.Command(t, shell, "apt-get install "+shell), append(flags, script)...)
	command.Env = append(m.environment(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "TERM=dumb")
	command.Dir = m.home
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", shell, err, output)
	}
	lines := strings.Fields(strings.ReplaceAll(string(output), "\r", ""))
	slices.Sort(lines)
	return lines
}

// What each line can be completed to, the same in every shell.
var completions = map[string][]string{
	"ninjaone-auth lo":                   {"login", "logout"},
	"ninjaone-auth vault ":               {"list", "show"},
	"ninjaone-auth token --v":            {"--vault", "--verbose", "--version"},
	"ninjaone-auth login --instance ":    {"ca", "eu", "fed", "oc", "us", "us2"},
	"ninjaone-auth token --vault ":       {}, // and no files
	"ninjaone-auth completion power":     {"powershell"},
	"ninjaone-auth logout --prefix x --": {"--all", "--help", "--json", "--prefix", "--vault", "--verbose", "--version", "--yes"},
}

func TestCompletionInBash(t *testing.T) {
	m := newMachine(t)
	equal(t, "complete -p", inShell(t, m, "source <(ninjaone-auth completion bash); complete -p ninjaone-auth", "bash", "--norc", "-c"),
		[]string{"'ninjaone-auth", "-C", "-o", "complete", "complete'", "filenames", "ninjaone-auth"})
	write(t, m.home+"/secret.txt", "")
	for line, want := range map[string]string{"token --hea": "token --header", "login --client-secret-file sec": "secret.txt", "vault sh": "vault show"} {
		r := m.with("PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "PS1=ready").inTerminalOf(t, exec.Command("bash", "--norc", "-i"))
		r.awaits("ready")
		r.types("cd; source <(ninjaone-auth completion bash)\r")
		r.types("ninjaone-auth " + line + "\t")
		r.awaits(want)
		r.types("\x15exit\r")
		r.ends(0)
	}
}

func TestCompletionInFish(t *testing.T) {
	m := newMachine(t)
	for line, want := range completions {
		got := inShell(t, m, fmt.Sprintf("ninjaone-auth completion fish | source; complete -C '%s'", line), "fish", "-c")
		equal(t, line, got, want)
	}
}

func TestCompletionInZsh(t *testing.T) {
	need.Command(t, "zsh", "apt-get install zsh")
	m := newMachine(t)
	r := m.with("PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "PS1=ready ").inTerminalOf(t, exec.Command("zsh", "-f", "-i"))
	r.awaits("ready")
	r.types("autoload -U compinit; compinit -u; source <(ninjaone-auth completion zsh)\r")
	r.types("ninjaone-auth completion pow\t")
	r.awaits("completion powershell")
	r.types("\x15ninjaone-auth login --inst\t")
	r.awaits("login --instance")
	r.types("\x15exit\r")
	r.ends(0)
}

func TestCompletionInPwsh(t *testing.T) {
	m := newMachine(t)
	for line, want := range completions {
		if len(want) == 0 {
			continue // PowerShell offers files where a native completer has nothing
		}
		script := fmt.Sprintf("ninjaone-auth completion powershell | Out-String | Invoke-Expression; $line = '%s'; (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText", line)
		equal(t, line, inShell(t, m, script, "pwsh", "-NoProfile", "-NonInteractive", "-Command"), want)
	}
	script := "ninjaone-auth completion powershell | Out-String | Invoke-Expression; $line = 'ninjaone-auth vau list'; (TabExpansion2 $line 17).CompletionMatches.CompletionText; $env:COMP_LINE"
	equal(t, "in the middle of a line", inShell(t, m, script, "pwsh", "-NoProfile", "-NonInteractive", "-Command"), []string{"vault"})
}

// A line in the environment has only the command for it complete anything.
func TestCompletionLineChangesNothingElse(t *testing.T) {
	b := loginBox(t)
	b.put(b.session(time.Hour))
	equal(t, "token", b.with("COMP_LINE=ninjaone-auth lo", "COMP_POINT=16").runs(0, "token").stdout, "stored-access-token\n")
	equal(t, "complete", b.runs(0, "complete").stdout, "")
}

func TestManPage(t *testing.T) {
	m := newMachine(t).with("SOURCE_DATE_EPOCH=1700000000")
	page := m.runs(0, "man").stdout
	contains(t, "the man page", page, ".TH NINJAONE-AUTH 1 2023-11-14\n", ".SH LOGIN\n", ".SH VAULT LIST\n", ".SH EXIT STATUS\n", `\-\-client\-secret\-file=PATH`)
	lint := exec.Command(need.Command(t, "mandoc", "apt-get install mandoc"), "-T", "lint", "-W", "warning")
	lint.Stdin = strings.NewReader(page)
	if output, err := lint.CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("%v: %s", err, output)
	}
}
