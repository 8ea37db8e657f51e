//go:build unix

package lock

import (
	"fmt"
	"os"
	"syscall"
)

// CheckFolder refuses a folder for locks in which somebody else could take, remove or replace them: it has to be this user's, no
// symbolic link, and writable for nobody else. Its error tells the reason, as the end of a sentence.
func CheckFolder(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	case known && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to somebody else (user id %d)", folder, owner.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others can write to %s: chmod 700 it", folder)
	}
	return nil
}
