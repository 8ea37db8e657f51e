package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ninjaone-auth/pkg/failure"
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
