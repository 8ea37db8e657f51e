//go:build unix

package install

import (
	"os"
	"path/filepath"
)

const programName = "ninjaone-auth"

// places are the folders in which PowerShell looks for modules, see about_PSModulePath.
func places() []string {
	if set := filepath.SplitList(os.Getenv("PSModulePath")); len(set) > 0 {
		return set
	}
	data := os.Getenv("XDG_DATA_HOME")
	if home, err := os.UserHomeDir(); data == "" && err == nil {
		data = filepath.Join(home, ".local", "share")
	}
	all := []string{"/usr/local/share/powershell/Modules"}
	if data != "" {
		all = append([]string{filepath.Join(data, "powershell", "Modules")}, all...)
	}
	return all
}
