package paramsets

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"ninjaone-auth/pkg/failure"
)

// TestAllSubsets holds the binder against what PowerShell's own engine answers for every subset of the sixteen
// documented parameters.
func TestAllSubsets(t *testing.T) {
	file, err := os.Open("testdata/parameter-sets.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, wrong := 0, 0
	for lines := bufio.NewScanner(unzipped); lines.Scan(); rows++ {
		mask, want, _ := strings.Cut(lines.Text(), "\t")
		bound, err := strconv.ParseUint(mask, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		if got := verdict(subset(bound)); got != strings.TrimRight(want, "\t") {
			if wrong++; wrong <= 10 {
				t.Errorf("subset %d: got %q, want %q", bound, got, want)
			}
		}
	}
	if rows != 1<<16 || wrong > 0 {
		t.Errorf("%d of %d subsets are wrong, want 0 of %d", wrong, rows, 1<<16)
	}
}

// verdict writes what resolve decides as a row of the table.
func verdict(bound subset) string {
	set, lacking, err := resolve(bound)
	var failed *failure.Error
	switch {
	case errors.As(err, &failed):
		return "error\t" + failed.ID.String()
	case len(lacking) > 0:
		return "error\tMissingMandatoryParameter\t" + strings.Join(lacking, " ")
	}
	return "set\t" + set
}
