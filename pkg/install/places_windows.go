package install

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

const programName = "ninjaone-auth.exe"

// places are the folders in which PowerShell 7 and Windows PowerShell look for modules, see about_PSModulePath. The
// environment has never all of them: Windows sets it for Windows PowerShell, and each of the two adds its own.
func places() []string {
	all := filepath.SplitList(os.Getenv("PSModulePath"))
	for _, known := range []*windows.KNOWNFOLDERID{
		windows.FOLDERID_Documents, windows.FOLDERID_ProgramFiles, windows.FOLDERID_ProgramFilesX86, // Documents may be in OneDrive
	} {
		if folder, err := windows.KnownFolderPath(known, windows.KF_FLAG_DEFAULT); err == nil {
			all = append(all, filepath.Join(folder, "PowerShell", "Modules"), filepath.Join(folder, "WindowsPowerShell", "Modules"))
		}
	}
	return all
}
