package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryErrorIsDocumented compares the ids in the sources with docs/errors.md.
func TestEveryErrorIsDocumented(t *testing.T) {
	inGo := regexp.MustCompile(`(?:\bID: |\bID(?:, \w+\.Category)? = |\bID, \w+\.Category = )"(\w+)"`)
	inWrapper := regexp.MustCompile(`Stop-Connect ([A-Z]\w+)`)
	raised := map[string]bool{}
	collect := func(pattern *regexp.Regexp, path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range pattern.FindAllStringSubmatch(string(text), -1) {
			raised[match[1]] = true
		}
	}
	err := filepath.WalkDir("../pkg", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			collect(inGo, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	collect(inWrapper, "../powershell/Connect-NinjaOne.ps1")

	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^\| ([A-Z]\w+) \|`).FindAllStringSubmatch(string(text), -1) {
		documented[match[1]] = true
	}
	for _, id := range sorted(raised) {
		if !documented[id] {
			t.Errorf("docs/errors.md lacks %s", id)
		}
	}
	for _, id := range sorted(documented) {
		if !raised[id] {
			t.Errorf("docs/errors.md has %s, which nothing raises", id)
		}
	}
	if len(raised) < 40 {
		t.Errorf("found only %d ids in the sources", len(raised))
	}
}

func sorted(set map[string]bool) []string {
	var all []string
	for name := range set {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
