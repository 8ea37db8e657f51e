package tests

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/tests/need"
)

// docs/errors.md is the table of package failure, row for row.
func TestErrorsAreDocumented(t *testing.T) {
	var documented, table []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \| (\w+) \|`).FindAllStringSubmatch(text(t, "../docs/errors.md"), -1) {
		documented = append(documented, row[1]+" "+row[2])
	}
	for _, id := range failure.All {
		table = append(table, id.String()+" "+id.Category())
	}
	equal(t, "docs/errors.md", documented, table)
}

// What the table says can be raised is raised, where it says; that others are not, the compiler sees in Go.
func TestErrorsAreRaised(t *testing.T) {
	var program strings.Builder
	err := filepath.WalkDir("../pkg", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && filepath.Base(path) != "table.go" {
			program.WriteString(strings.ReplaceAll(text(t, path), "ID: Int", "failure.Int")) // package failure's own two
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range failure.All {
		if raised := regexp.MustCompile(`failure\.` + id.String() + `\b`).MatchString(program.String()); raised != id.FromProgram() {
			t.Errorf("%s: raised in Go: %t", id, raised)
		}
	}
	var raised, inTable []string
	commands := text(t, "../powershell/Connect-NinjaOne.ps1") + text(t, "../powershell/NinjaOneAuth/NinjaOneAuth.psm1")
	for _, call := range regexp.MustCompile(`(?i)id = '([A-Z]\w+)'; category = '(\w+)'`).FindAllStringSubmatch(commands, -1) {
		raised = append(raised, call[1]+" "+call[2])
	}
	for _, id := range failure.All {
		row := id.String() + " " + id.Category()
		// Disconnect-NinjaOne has a list of what the program may tell it.
		listed := regexp.MustCompile(`\b` + id.String() + ` = '(\w+)'`).FindStringSubmatch(commands)
		if listed != nil && listed[1] != id.Category() {
			t.Errorf("%s is listed as %s", row, listed[1])
		}
		if id.FromProgram() { // and perhaps from a command too
			raised = slices.DeleteFunc(raised, func(r string) bool { return r == row })
		} else if id.FromWrapper() && id != failure.PositionalParameterNotFound { // which PowerShell raises
			inTable = append(inTable, row)
		}
	}
	slices.Sort(raised)
	raised = slices.Compact(raised)
	slices.Sort(inTable)
	equal(t, "the commands' failures", raised, inTable)
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// documents are README.md and docs/*.md.
func documents(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../docs/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatal(err, paths)
	}
	return append(paths, "../README.md")
}

// blocks are the contents of all fenced blocks of a language in the documents; Docs.Tests.ps1 looks at the other languages.
func blocks(t *testing.T, language string) (all []string) {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```" + language + "\\b[^\n]*\n(.*?)^```$")
	for _, path := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(text(t, path), -1) {
			all = append(all, block[1])
		}
	}
	if len(all) == 0 {
		t.Fatalf("the documents hold no %s", language)
	}
	return all
}

func TestYAMLInDocumentsParses(t *testing.T) {
	for _, block := range blocks(t, "yaml") {
		var document map[string]any
		if err := yaml.UnmarshalWithOptions([]byte(block), &document, yaml.Strict()); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
}

// A unit begins with its file's name. That the program of ExecStart is on this machine is not asked for.
func TestUnitsInDocumentsAreAccepted(t *testing.T) {
	analyze := need.Command(t, "systemd-analyze", "apt-get install systemd")
	folder := t.TempDir()
	var units []string
	for _, block := range blocks(t, "ini") {
		name, _, _ := strings.Cut(strings.TrimPrefix(block, "# "), "\n")
		units = append(units, filepath.Join(folder, name))
		write(t, units[len(units)-1], strings.ReplaceAll(block, "ExecStart=/usr/bin/pwsh", "ExecStart=/bin/sh"))
	}
	output, err := exec.Command(analyze, append([]string{"verify", "--man=no", "--recursive-errors=no"}, units...)...).CombinedOutput()
	if err != nil || len(output) > 0 {
		t.Errorf("%v: %s", err, output)
	}
}

// A link in a document leads to a file that is there, or to another site.
func TestLinksInDocumentsLead(t *testing.T) {
	awaited := []string{"install.md", "commands.md"} // other branches bring them; to be removed when they have landed
	for _, path := range documents(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`).FindAllStringSubmatch(text(t, path), -1) {
			if !strings.Contains(link[1], "://") && !slices.Contains(awaited, filepath.Base(link[1])) && !exists(filepath.Join(filepath.Dir(path), link[1])) {
				t.Errorf("%s links to %s", path, link[1])
			}
		}
	}
}
